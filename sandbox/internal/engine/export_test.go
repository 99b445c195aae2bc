package engine

// SetRunning pretends that a guest call is in progress.
func SetRunning(in *Instance, running bool) { in.running = running }
