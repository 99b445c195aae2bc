package runtime

import (
	"context"

	"github.com/wasmstate/wasmstate/runtime/internal/loader"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Problem is one thing that is wrong with component files, or worth knowing.
// Line and Column count from 1; 0 is unknown.
type Problem struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Component string `json:"component,omitempty"`
	Message   string `json:"message"`
}

// Validation is what [Validate] found. No list is nil.
type Validation struct {
	Components []string  `json:"components"` // names of the documents that were read, sorted
	Problems   []Problem `json:"problems"`   // to be fixed
	Notes      []Problem `json:"notes"`      // passed over: other kinds, other files
}

// Validate checks component files and modules without starting anything: no
// store is initialised, no guest runs, no secret is read. What it refuses, Run
// refuses, and the other way round, but for what only the outside world tells:
// secrets, environment variables, a backend.
func Validate(ctx context.Context, cfg Config, opts ...Option) (*Validation, error) {
	cfg, _, registry, err := prepare(cfg, opts)
	if err != nil {
		return nil, err
	}
	sb, err := sandbox.New(sandbox.Options{})
	if err != nil {
		return nil, err
	}
	defer sb.Close()
	l := loader.New(loader.Config{Paths: cfg.ComponentsPaths, AppID: cfg.AppID, Namespace: cfg.Namespace, Registry: registry, Sandbox: sb})
	found := l.Validate(ctx)
	return &Validation{
		Components: append([]string{}, found.Components...), Problems: problems(found.Problems), Notes: problems(found.Notes),
	}, nil
}

func problems(from []manifest.Problem) []Problem {
	out := []Problem{}
	for _, p := range from {
		out = append(out, Problem{p.Pos.File, p.Pos.Line, p.Pos.Column, p.Component, p.Msg})
	}
	return out
}
