package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// store keeps everything in the server. One call at a time, as modules are
// called.
type store struct {
	session session
	closed  bool
}

var (
	_ abi.Store      = (*store)(nil)
	_ abi.Transactor = (*store)(nil)
	_ abi.BulkGetter = (*store)(nil)
	_ abi.BulkWriter = (*store)(nil)
	_ abi.Pinger     = (*store)(nil)
)

// Init does not connect: the runtime pings a store before it is used.
func (s *store) Init(_ context.Context, md abi.Metadata) error {
	p := md.Properties
	if !strings.Contains(p["address"], ":") {
		return abi.NewError(abi.CodeInvalidArgument, "address must be host:port, such as redis.internal:6379")
	}
	if db := p["db"]; db != "" {
		if _, err := strconv.ParseUint(db, 10, 16); err != nil {
			return abi.NewError(abi.CodeInvalidArgument, "db must be the number of a database")
		}
	}
	switch p["tls"] {
	case "", "false", "true":
	default:
		return abi.NewError(abi.CodeInvalidArgument, "tls must be true or false")
	}
	s.session = session{address: p["address"], username: p["username"], db: p["db"], tls: p["tls"] == "true"}
	return nil
}

func (s *store) Features() abi.Features {
	return abi.FeatureETag | abi.FeatureTransactional | abi.FeatureTTL | abi.FeatureBulk | abi.FeatureContentType
}

func (s *store) Ping(ctx context.Context) error {
	var failed error
	err := s.exchange(ctx, 1, true,
		func(int) { s.session.out = parts(s.session.out, "PING") },
		func(_ int, r *reply) {
			if r.kind == '-' {
				failed = failure(r)
			}
		})
	return first(err, failed)
}

func (s *store) exchange(ctx context.Context, n int, repeat bool, add func(i int), each func(i int, r *reply)) error {
	if s.closed {
		return abi.ErrClosed
	}
	if n == 0 {
		return ctx.Err()
	}
	return s.session.exchange(ctx, n, repeat, add, each)
}

func (s *store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	var failed error
	err := s.exchange(ctx, 1, true,
		func(int) { s.addGet(req.Key) },
		func(_ int, r *reply) { failed = value(r, resp) })
	return first(err, failed)
}

// BulkGet reads all keys in one round trip.
func (s *store) BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	return s.exchange(ctx, len(reqs), true,
		func(i int) { s.addGet(reqs[i].Key) },
		func(i int, r *reply) { results[i].Err = value(r, &results[i].GetResponse) })
}

func (s *store) addGet(key []byte) {
	b := command(s.session.out, 4)
	b = part(b, "EVALSHA")
	b = part(b, s.session.scripts[read])
	b = part(b, "1")
	s.session.out = part(b, key)
}

// value reads the answer of scriptRead.
func value(r *reply, resp *abi.GetResponse) error {
	switch {
	case r.kind == '-':
		return failure(r)
	case r.kind == '*' && len(r.items) == 0:
		return abi.ErrNotFound
	case r.kind != '*' || len(r.items) != 4:
		return errProtocol
	}
	resp.Value = append(resp.Value[:0], r.items[0].text...)
	resp.ETag = append(resp.ETag[:0], r.items[1].text...)
	resp.ContentType = append(resp.ContentType[:0], r.items[2].text...)
	resp.ExpiresAt = max(r.items[3].n, 0)
	return nil
}

func (s *store) Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error {
	results := [1]abi.WriteResult{}
	if err := s.BulkWrite(ctx, []abi.Op{{SetRequest: *req}}, results[:]); err != nil {
		return err
	}
	resp.ETag = append(resp.ETag[:0], results[0].ETag...)
	return results[0].Err
}

func (s *store) Delete(ctx context.Context, req *abi.DeleteRequest) error {
	results := [1]abi.WriteResult{}
	op := abi.Op{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: req.Key, ETag: req.ETag}}
	if err := s.BulkWrite(ctx, []abi.Op{op}, results[:]); err != nil {
		return err
	}
	return results[0].Err
}

// BulkWrite applies all operations in one round trip, each for itself.
func (s *store) BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error {
	return s.exchange(ctx, len(ops), false,
		func(i int) { s.addWrite(ops[i : i+1]) },
		func(i int, r *reply) {
			var etag []byte
			if _, etag, results[i].Err = written(r); results[i].Err == nil {
				results[i].ETag = append(results[i].ETag[:0], etag...)
			}
		})
}

// Transact applies all operations in one run of the script.
func (s *store) Transact(ctx context.Context, ops []abi.Op) error {
	if len(ops) == 0 {
		return s.exchange(ctx, 0, false, nil, nil)
	}
	var failed error
	err := s.exchange(ctx, 1, false,
		func(int) { s.addWrite(ops) },
		func(_ int, r *reply) {
			var index int
			if index, _, failed = written(r); index >= 0 && failed != nil {
				failed = &abi.OpError{Index: index, Err: failed}
			}
		})
	return first(err, failed)
}

func (s *store) addWrite(ops []abi.Op) {
	b := command(s.session.out, 3+7*len(ops))
	b = part(b, "EVALSHA")
	b = part(b, s.session.scripts[write])
	b = part(b, strconv.Itoa(len(ops)))
	for i := range ops {
		b = part(b, ops[i].Key)
	}
	for i := range ops {
		op := &ops[i]
		if op.Kind == abi.OpDelete {
			b = part(b, "delete")
			b = part(b, op.ETag)
			for range 4 {
				b = part(b, "")
			}
			continue
		}
		create := "0"
		if op.FirstWrite {
			create = "1"
		}
		b = part(b, "set")
		b = part(b, op.ETag)
		b = part(b, create)
		b = part(b, strconv.FormatInt(op.TTL.Milliseconds(), 10))
		b = part(b, op.ContentType)
		b = part(b, op.Value)
	}
	s.session.out = b
}

// written reads the answer of scriptWrite: the operation in conflict or the
// new etag. The index is -1 if no operation is to blame.
func written(r *reply) (index int, etag []byte, err error) {
	switch {
	case r.kind == '-':
		return -1, nil, failure(r)
	case r.kind != '*' || len(r.items) != 2 || r.items[0].kind != ':':
		return -1, nil, errProtocol
	case r.items[0].n >= 0:
		return int(r.items[0].n), nil, abi.ErrETagMismatch
	}
	return -1, r.items[1].text, nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *store) Close() error {
	s.closed = true
	s.session.drop()
	return nil
}
