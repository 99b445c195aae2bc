package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// Options adapt the suite to a store. The zero value fits a store that keeps
// everything to itself: every open yields an empty one.
type Options struct {
	// Small lowers the number of goroutines, rounds and the sizes, for stores
	// that are slow or have little memory. No rule is left out.
	Small bool
	// MaxValue is the largest value in bytes that the store takes; 0 = at
	// least 1 MiB.
	MaxValue int
	// Shared says that all opened stores see the same data, as those of one
	// server do.
	Shared bool
	// Reopen, if not nil, opens a store on the data of the store that the last
	// call of open returned, which the suite has closed. It makes the suite
	// check that data is durable.
	Reopen func(ctx context.Context) (abi.Store, error)
	// Timeout is how long one rule may take; 0 = 30 s. A rule that takes
	// longer fails; its goroutines are left behind.
	Timeout time.Duration
	// Skip maps the ids of rules to the reason why the store cannot follow
	// them.
	Skip map[string]string
	// Only, if not empty, are the ids of the rules to run.
	Only []string
}

// Rule is one line of the contract and the code that checks it.
type Rule struct {
	ID    string       // such as "etag.one-winner"; never changes
	Doc   string       // what the store must do
	Needs abi.Features // checked only if all of these are declared
	Lacks abi.Features // checked only if none of these is declared

	run  func(ctx context.Context, e *env) error
	slow bool // waits for the clock: run after the others, all at once
}

// Rules returns the table in the order in which it is checked.
func Rules() []Rule {
	var all []Rule
	for _, part := range [][]Rule{
		featureRules(), crudRules(), etagRules(), casRules(), typeRules(), transactRules(), transactConcurrentRules(),
		bulkRules(), keysRules(), exportRules(), lifecycleRules(), ttlRules(), ttlOtherRules(),
	} {
		all = append(all, part...)
	}
	return all
}

// TB is a test: *testing.T, which is not named so that programs with [Check] do
// not link package testing.
type TB[T any] interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Skip(args ...any)
	Run(name string, f func(T)) bool
}

// Run checks every rule as a subtest. open returns an initialised store; the
// suite closes it. It may be called many times. T is *testing.T.
func Run[T TB[T]](t T, open func(t T) abi.Store, opts Options) {
	t.Helper()
	s, err := start(t.Context(), func(context.Context) (abi.Store, error) { return open(t), nil }, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	serial, slow := s.rules()
	run := func(r Rule, check func() error) {
		t.Run(r.ID, func(t T) {
			if reason := s.skip(r); reason != "" {
				t.Skip(reason)
			}
			if err := check(); err != nil {
				t.Errorf("%s: %v", r.Doc, err)
			}
		})
	}
	for _, r := range serial {
		run(r, func() error { return s.check(t.Context(), r) })
	}
	await := s.together(t.Context(), slow)
	for i, r := range slow {
		run(r, func() error { return await(i) })
	}
}

// Report is the outcome of [Check].
type Report struct {
	Features []string `json:"features"`
	Results  []Result `json:"results"`
}

// Result is the outcome of one rule: passed if Err and Skipped are empty.
type Result struct {
	ID       string        `json:"id"`
	Doc      string        `json:"doc"`
	Err      string        `json:"error,omitempty"`
	Skipped  string        `json:"skipped,omitempty"` // the reason
	Duration time.Duration `json:"duration"`          // nanoseconds; of rules that wait together, what was left to wait
}

// Failed returns the results of the rules that the store breaks.
func (r *Report) Failed() []Result {
	var failed []Result
	for _, res := range r.Results {
		if res.Err != "" {
			failed = append(failed, res)
		}
	}
	return failed
}

// Check checks every rule and reports. open is as for [Run]. The error means
// that no store could be opened, or that ctx ended; then the report is not
// complete.
func Check(ctx context.Context, open func(ctx context.Context) (abi.Store, error), opts Options) (Report, error) {
	s, err := start(ctx, open, opts)
	if err != nil {
		return Report{}, err
	}
	report := Report{Features: s.features.Names()}
	serial, slow := s.rules()
	add := func(r Rule, check func() error) {
		res := Result{ID: r.ID, Doc: r.Doc, Skipped: s.skip(r)}
		if begin := time.Now(); res.Skipped == "" {
			if err := check(); err != nil {
				res.Err = err.Error()
			}
			res.Duration = time.Since(begin)
		}
		report.Results = append(report.Results, res)
	}
	for _, r := range serial {
		add(r, func() error { return s.check(ctx, r) })
	}
	await := s.together(ctx, slow)
	for i, r := range slow {
		add(r, func() error { return await(i) })
	}
	closed := make(chan error, 1)
	go func() { closed <- guard(s.store.Close) }() // given up after the timeout, like a rule
	timer := time.NewTimer(s.opts.Timeout)
	defer timer.Stop()
	select {
	case err = <-closed:
	case <-timer.C:
		err = fmt.Errorf("the store did not return within %v", s.opts.Timeout)
	}
	if err != nil {
		return report, fmt.Errorf("close: %w", err)
	}
	return report, ctx.Err()
}

// suite is one run over one store.
type suite struct {
	store    abi.Store // used by every rule that does not open its own
	features abi.Features
	open     func(ctx context.Context) (abi.Store, error)
	opts     Options
	prefix   string
	only     map[string]bool
}

func start(ctx context.Context, open func(context.Context) (abi.Store, error), opts Options) (*suite, error) {
	store, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 30 * time.Second
	}
	var b [4]byte
	rand.Read(b[:]) // never fails
	s := &suite{store: store, features: store.Features(), open: open, opts: opts, prefix: "st" + hex.EncodeToString(b[:]) + "/"}
	for _, id := range opts.Only {
		if s.only == nil {
			s.only = map[string]bool{}
		}
		s.only[id] = true
	}
	return s, nil
}

// rules returns the rules that are wanted, those that wait for the clock apart.
func (s *suite) rules() (serial, slow []Rule) {
	for _, r := range Rules() {
		switch {
		case s.only != nil && !s.only[r.ID]:
		case r.slow:
			slow = append(slow, r)
		default:
			serial = append(serial, r)
		}
	}
	return serial, slow
}

// together starts all rules at once, so that their waiting overlaps. await
// returns the outcome of one and has to be called for each that is not skipped.
func (s *suite) together(ctx context.Context, rules []Rule) (await func(i int) error) {
	outcome := make([]chan error, len(rules))
	for i, r := range rules {
		if s.skip(r) == "" {
			outcome[i] = make(chan error, 1)
			go func() { outcome[i] <- s.check(ctx, r) }() // bounded by the timeout, awaited by await
		}
	}
	return func(i int) error { return <-outcome[i] }
}

// skip returns why a rule is not checked, or "".
func (s *suite) skip(r Rule) string {
	if reason := s.opts.Skip[r.ID]; reason != "" {
		return reason
	}
	if missing := r.Needs &^ s.features; missing != 0 {
		return "not declared: " + missing.String()
	}
	if present := r.Lacks & s.features; present != 0 {
		return "declared: " + present.String()
	}
	return ""
}

// check runs one rule within the timeout. A panic of the store is an error.
func (s *suite) check(ctx context.Context, r Rule) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	e := &env{suite: s, store: s.store, prefix: s.prefix + r.ID + "/"}
	done := make(chan error, 1)
	go func() { // ends with the rule, or is given up after the timeout
		err := guard(func() error { return r.run(ctx, e) })
		if closeErr := guard(e.closeAll); err == nil {
			err = closeErr
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(time.Second) // for a store that just noticed the end of ctx
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return fmt.Errorf("the store did not return within %v", s.opts.Timeout)
	}
}
