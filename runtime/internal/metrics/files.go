package metrics

import (
	goruntime "runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// files says how the component files were read last.
type files struct {
	problems, successful, at prometheus.Gauge
}

func newFiles() *files {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "wasmstate", Name: name, Help: help})
	}
	return &files{
		problems:   gauge("component_files_problems", "Errors in component files, modules and secret files when they were last read."),
		successful: gauge("last_reload_successful", "1 if the files had no error when they were last read, else 0."),
		at:         gauge("last_reload_timestamp_seconds", "When the files were last read, in seconds since 1970."),
	}
}

// FilesRead says that the files were read at a time and had so many problems.
// Safe for concurrent use.
func (m *Metrics) FilesRead(problems int, at time.Time) {
	m.files.problems.Set(float64(problems))
	successful := 0.0
	if problems == 0 {
		successful = 1
	}
	m.files.successful.Set(successful)
	m.files.at.Set(float64(at.UnixMilli()) / 1000)
}

// SetBuild says which program this is; "" for a revision that is not known.
// Call it once.
func (m *Metrics) SetBuild(version, revision string) {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "wasmstate", Name: "build_info", Help: "1, with the version of the program in its labels.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": goruntime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(build)
}
