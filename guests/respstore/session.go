package main

import (
	"bufio"
	"context"
	"io"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
	"github.com/wasmstate/wasmstate/guests/sdk/go/tcp"
)

// session is the one connection of an instance. It is opened when it is needed
// and dropped at the first error, because the place in its stream is then
// unknown.
type session struct {
	address, username, db string
	tls                   bool

	conn    *tcp.Conn // nil = not connected
	in      *bufio.Reader
	out     []byte
	used    int64     // Unix milliseconds
	scripts [2]string // digests of read and write
}

const (
	read = iota
	write
)

// exchange sends n commands at once, which add appends to out, and hands each
// answer to each. A server that has forgotten the scripts gets them again, with
// the commands that it did not run.
//
// repeat says that the commands may run twice. Others are sent again only if
// nothing of them was sent; otherwise a broken connection is an error, because
// nobody knows whether they ran.
func (s *session) exchange(ctx context.Context, n int, repeat bool, add func(i int), each func(i int, r *reply)) error {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	again, sent, err := s.try(ctx, all, add, each)
	if err != nil && lost(err) && (repeat || !sent) {
		again, _, err = s.try(ctx, all, add, each)
	}
	if err == nil && len(again) > 0 {
		s.drop()
		again, _, err = s.try(ctx, again, add, each)
	}
	if err == nil && len(again) > 0 {
		err = abi.NewError(abi.CodeUnavailable, "the server forgets scripts as soon as they are loaded")
	}
	return err
}

// try sends commands once. It returns those that met a missing script, and
// whether anything may have reached the server.
func (s *session) try(ctx context.Context, which []int, add func(i int), each func(i int, r *reply)) (again []int, sent bool, err error) {
	if err := s.ready(ctx); err != nil {
		return nil, false, err
	}
	s.out = s.out[:0]
	for _, i := range which {
		add(i)
	}
	if sent, err = s.send(); err != nil {
		return nil, sent, err
	}
	for _, i := range which {
		r, err := s.receive()
		switch {
		case err != nil:
			return nil, true, err
		case r.failed("NOSCRIPT"):
			again = append(again, i)
		default:
			each(i, &r)
		}
	}
	if cap(s.out) > 1<<20 {
		s.out = nil
	}
	return again, true, nil
}

// ready connects if necessary and sets the deadline. A connection that was not
// used for a second is tried first: servers drop idle ones.
func (s *session) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := sdk.NowMillis()
	if s.conn != nil && now-s.used > 1000 {
		if err := s.deadline(ctx); err != nil {
			return err
		}
		if s.ping() != nil {
			s.drop()
		}
	}
	s.used = now
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			s.drop()
			return err
		}
	}
	return s.deadline(ctx)
}

// deadline makes the connection give up a little before the host gives up the
// instance.
func (s *session) deadline(ctx context.Context) error {
	d, ok := ctx.Deadline()
	if ok {
		d = d.Add(-5 * time.Millisecond)
	}
	return s.conn.SetDeadline(d)
}

func (s *session) connect(ctx context.Context) error {
	opts := tcp.Options{TLS: s.tls}
	if d, ok := ctx.Deadline(); ok {
		opts.Timeout = time.Duration(max(d.UnixMilli()-sdk.NowMillis()-5, 1)) * time.Millisecond
	}
	conn, err := tcp.Dial(s.address, opts)
	if err != nil {
		return err
	}
	s.conn = conn
	if s.in == nil {
		s.in = bufio.NewReaderSize(conn, 16<<10)
	}
	s.in.Reset(conn)
	if err := s.deadline(ctx); err != nil {
		return err
	}
	n, err := s.greet()
	if err != nil {
		return err
	}
	for i := range n {
		r, err := s.receive()
		switch {
		case err != nil:
			return err
		case r.kind == '-':
			return failure(&r)
		}
		if script := i - (n - len(s.scripts)); script >= 0 {
			s.scripts[script] = string(r.text)
		}
	}
	return nil
}

// greet sends what a new connection begins with and returns the number of
// answers to expect; the last ones are of the scripts.
func (s *session) greet() (n int, err error) {
	password, err := sdk.Secret("password")
	switch code(err) {
	case abi.CodeOK:
		b := command(s.out[:0], 2)
		if s.username != "" {
			b = command(s.out[:0], 3)
		}
		b = part(b, "AUTH")
		if s.username != "" {
			b = part(b, s.username)
		}
		s.out, n = part(b, password), 1
		clear(password)
	case abi.CodePermission, abi.CodeNotFound: // a server without a password
		s.out = s.out[:0]
	default:
		return 0, err
	}
	if s.db != "" && s.db != "0" {
		s.out = parts(s.out, "SELECT", s.db)
		n++
	}
	s.out = parts(s.out, "SCRIPT", "LOAD", scriptRead)
	s.out = parts(s.out, "SCRIPT", "LOAD", scriptWrite)
	_, err = s.send()
	clear(s.out[:cap(s.out)])
	return n + 2, err
}

func (s *session) ping() error {
	s.out = parts(s.out[:0], "PING")
	if _, err := s.send(); err != nil {
		return err
	}
	r, err := s.receive()
	if err == nil && r.kind == '-' {
		err = failure(&r)
	}
	return err
}

// send sends out. sent is false if the connection was closed before.
func (s *session) send() (sent bool, err error) {
	n, err := s.conn.Write(s.out)
	if err == nil {
		return true, nil
	}
	s.drop()
	return n > 0 || code(err) != abi.CodeClosed, connectionError(err)
}

func (s *session) receive() (reply, error) {
	r, err := readReply(s.in, 0)
	if err != nil {
		s.drop()
		err = connectionError(err)
	}
	return r, err
}

func (s *session) drop() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

func lost(err error) bool {
	_, ok := err.(*lostError) //nolint:errorlint // returned bare
	return ok
}

// lostError says that a connection that had worked broke.
type lostError struct{ cause *abi.Error }

func (e *lostError) Error() string { return e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }

// connectionError is the error of the operation for one of the connection.
func connectionError(err error) error {
	switch {
	case err == io.EOF, err == io.ErrUnexpectedEOF: //nolint:errorlint // returned bare
		return &lostError{abi.NewError(abi.CodeUnavailable, "the server closed the connection")}
	case code(err) == abi.CodeClosed, code(err) == abi.CodeUnavailable && !isProtocol(err):
		return &lostError{abi.NewError(abi.CodeUnavailable, "the connection to the server broke")}
	}
	return err
}

func isProtocol(err error) bool {
	e, ok := err.(*abi.Error) //nolint:errorlint // returned bare
	return ok && e == errProtocol
}

// code is abi.CodeOf without the reflection of errors.As, which would be a
// large part of the module.
func code(err error) abi.Code {
	for err != nil {
		if e, ok := err.(*abi.Error); ok { //nolint:errorlint // see above
			return e.Code
		}
		w, ok := err.(interface{ Unwrap() error })
		if !ok {
			return abi.CodeInternal
		}
		err = w.Unwrap()
	}
	return abi.CodeOK
}
