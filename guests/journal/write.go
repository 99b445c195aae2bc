package main

import (
	"context"
	"strconv"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
)

// change is what a transaction does to one key.
type change struct {
	key     []byte
	stored  []byte  // etag of the head in the bucket; empty = there is none
	before  version // the head that was read, without its value
	head    version // as it is after the operations so far
	ttl     time.Duration
	written bool
}

// apply checks and writes ops in one transaction of the bucket, which holds
// only if no head has changed since it was read; otherwise it starts again. It
// returns the number of the version that the last operation wrote. The error
// of a failing operation is an *abi.OpError.
func (s *store) apply(ctx context.Context, ops []abi.Op) (uint64, error) {
	for {
		if err := s.enter(ctx); err != nil {
			return 0, err
		}
		seq, batch, err := s.plan(ops)
		if err != nil || len(batch) == 0 {
			return 0, err
		}
		switch err := s.bucket.Transact(batch); codeOf(err) {
		case abi.CodeOK:
			return seq, nil
		case abi.CodeETagMismatch: // another instance was faster
		default:
			return 0, cause(err) // its index is one of batch
		}
	}
}

// plan returns the writes in the bucket that ops come to.
func (s *store) plan(ops []abi.Op) (seq uint64, batch []abi.Op, err error) {
	changes := make([]*change, 0, len(ops))
	now := sdk.NowMillis()
	for i := range ops {
		op := &ops[i]
		c := find(changes, op.Key)
		if c == nil {
			head, stored, err := s.load(headKey(op.Key))
			if err != nil {
				return 0, nil, err
			}
			head.contentType, head.value = clone(head.contentType), clone(head.value)
			c = &change{key: op.Key, stored: clone(stored), before: head, head: head}
			changes = append(changes, c)
		}
		exists := c.head.exists(now)
		if len(op.ETag) > 0 && (!exists || string(op.ETag) != string(c.head.etag())) ||
			len(op.ETag) == 0 && op.Kind == abi.OpSet && op.FirstWrite && exists {
			return 0, nil, &abi.OpError{Index: i, Err: abi.ErrETagMismatch}
		}
		if op.Kind == abi.OpDelete && !exists {
			continue
		}
		batch = s.archive(batch, c)
		c.head = version{seq: c.head.seq + 1, deleted: op.Kind == abi.OpDelete, written: now}
		if c.ttl, c.written = 0, true; op.Kind == abi.OpSet {
			c.head.value, c.head.contentType, c.ttl = op.Value, op.ContentType, op.TTL
			if op.TTL > 0 {
				c.head.expires = now + op.TTL.Milliseconds()
			}
		}
		seq = c.head.seq
	}
	for _, c := range changes {
		batch = c.publish(batch, len(changes) > 1)
	}
	return seq, batch, nil
}

func find(changes []*change, key []byte) *change {
	for _, c := range changes {
		if string(c.key) == string(key) {
			return c
		}
	}
	return nil
}

// archive moves the head to the history and removes the version that is then
// one too many.
func (s *store) archive(batch []abi.Op, c *change) []abi.Op {
	if c.head.seq > 0 && s.keep != 1 {
		batch = append(batch, set(historyKey(c.key, c.head.seq), c.head.encode()))
	}
	if next := c.head.seq + 1; s.keep > 1 && next > s.keep {
		batch = append(batch, remove(historyKey(c.key, next-s.keep)))
	}
	return batch
}

// publish writes the head, if nobody else has, and the entry in the index of
// keys that exist. A head that was only looked at is written, too, if others
// depend on it.
func (c *change) publish(batch []abi.Op, guard bool) []abi.Op {
	if !c.written && !guard {
		return batch
	}
	head := set(headKey(c.key), c.head.encode())
	head.ETag, head.FirstWrite = c.stored, len(c.stored) == 0
	if head.FirstWrite && !c.written {
		c.head.deleted = true
		head.Value = c.head.encode() // version 0: was missing when somebody looked
	}
	batch = append(batch, head)
	was := c.before.seq > 0 && !c.before.deleted
	switch {
	case !c.written || was && !c.head.deleted && c.before.expires == 0 && c.head.expires == 0: // stays as it is
	case !c.head.deleted:
		live := set(liveKey(c.key), strconv.AppendInt(nil, c.head.expires, 10))
		live.TTL = c.ttl
		batch = append(batch, live)
	case was:
		batch = append(batch, remove(liveKey(c.key)))
	}
	return batch
}

func set(key, value []byte) abi.Op {
	return abi.Op{SetRequest: abi.SetRequest{Key: key, Value: value}}
}

func remove(key []byte) abi.Op {
	return abi.Op{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: key}}
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }
