package sandbox

// WithStep has f told where the host is in an operation.
func WithStep(cfg Config, f func(name string, apart bool)) Config {
	cfg.step = f
	return cfg
}
