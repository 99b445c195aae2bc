package loader

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// Plan is what one reading of the files says.
type Plan struct {
	Specs          []component.Spec
	Files          []string  // to watch besides the folders
	SecretsChanged bool      // what waits for a secret may be tried again
	Busy           bool      // a file is being written: read again soon
	Next           time.Time // when to read again without a reason; zero = never

	problems []manifest.Problem
	result   *manifest.Result
	previous map[string]string // component name -> file before this plan
	leaving  map[string]*LeavingError
}

// Plan reads the files: components, dropped modules, secret stores. It never
// fails as a whole. What is missing goes when its grace is over, or now. Not to
// be called twice at once.
func (l *Loader) Plan(ctx context.Context, now bool) *Plan {
	l.graces.begin()
	if now {
		defer func(g time.Duration) { l.graces.grace = g }(l.graces.grace)
		l.graces.grace = -1
	}
	r := l.walk(ctx, manifest.Options{AppID: l.cfg.AppID, Namespace: l.cfg.Namespace, Current: l.files})
	p := &Plan{result: r.Result, problems: r.problems, previous: l.files, Busy: len(r.Busy) > 0, leaving: map[string]*LeavingError{}}
	l.loadSecretStores(ctx, r, p)
	files := map[string]string{}
	for i := range r.states {
		st := &r.states[i]
		files[st.Name] = st.Pos.File
		p.Specs = append(p.Specs, l.spec(ctx, st))
	}
	for name, file := range l.files {
		if _, have := files[name]; have {
			continue
		}
		if r.Keeps(name, file) {
			files[name] = file
		} else if until, stays := l.graces.leaving("component " + name); stays && !r.Emptied(file) {
			files[name], p.leaving[name] = file, &LeavingError{file, until}
		}
	}
	l.graces.end()
	p.Next = l.graces.next
	l.files = files
	p.Files = r.watch
	l.tell(p)
	l.mu.Lock()
	l.broken = p.problems
	l.mu.Unlock()
	return p
}

// Keeps reports whether a component that is missing from the plan must go on:
// its file is broken, not gone, or gone for a moment only.
func (p *Plan) Keeps(name string) bool {
	if p.leaving[name] != nil {
		return true
	}
	file, ok := p.previous[name]
	return ok && p.result.Keeps(name, file)
}

// Complaint is what is wrong with the document of a component that serves; nil
// if nothing is.
func (p *Plan) Complaint(name string) error {
	if slices.ContainsFunc(p.Specs, func(s component.Spec) bool { return s.Name == name }) {
		return nil
	}
	if leaving := p.leaving[name]; leaving != nil {
		return leaving
	}
	file := p.previous[name]
	for i := range p.problems {
		if prob := &p.problems[i]; prob.Component == name || prob.Pos.File == file {
			return prob
		}
	}
	return nil
}

// Problems lists what is wrong with the files, one line each.
func (p *Plan) Problems() []string { return lines(p.problems) }

func lines(problems []manifest.Problem) []string {
	out := []string{}
	for i := range problems {
		out = append(out, problems[i].String())
	}
	return out
}

// tell logs what is new among problems and notes, and what was put right.
func (l *Loader) tell(p *Plan) {
	now := map[string]bool{}
	for i := range p.problems {
		line := p.problems[i].String()
		if now[line] = true; !l.said[line] {
			l.log.Error("component file", zap.String("problem", line))
		}
	}
	for line := range l.said {
		if !now[line] && l.said[line] {
			l.log.Info("component file put right", zap.String("problem", line))
		}
	}
	for i := range p.result.Notes {
		line := p.result.Notes[i].String()
		if _, told := l.said[line]; !told {
			l.log.Warn("component file", zap.String("note", line))
		}
		if !now[line] {
			now[line] = false // told, and nothing to be put right
		}
	}
	l.said = now
}

// Problems lists what is wrong with the files at the moment, one line each.
func (l *Loader) Problems() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lines(l.broken)
}

// WithBroken adds to a list the components that only documents with an error
// name, as failed.
func (l *Loader) WithBroken(list []handle.Status) []handle.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.broken {
		prob := &l.broken[i]
		if prob.Component == "" || slices.ContainsFunc(list, func(st handle.Status) bool { return st.Name == prob.Component }) {
			continue
		}
		list = append(list, handle.Status{
			Name: prob.Component, State: handle.StateFailed, Reason: prob.String(), Source: prob.Pos.String(),
		})
	}
	return list
}
