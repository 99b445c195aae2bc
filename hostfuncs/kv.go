package hostfuncs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// KV is what a bucket keeps its keys in, with the meaning of the methods of
// abi.Store and its optional interfaces. Bulk calls must work for every store;
// what is not in Features answers abi.ErrUnsupported. Safe for concurrent use.
//
// The keys are non-empty UTF-8 without "||". Requests may be kept by the callee
// beyond its return only if ctx ended.
type KV interface {
	Features() abi.Features
	Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error
	Set(ctx context.Context, req *abi.SetRequest, resp *abi.SetResponse) error
	Delete(ctx context.Context, req *abi.DeleteRequest) error
	BulkGet(ctx context.Context, reqs []abi.GetRequest, results []abi.GetResult) error
	BulkWrite(ctx context.Context, ops []abi.Op, results []abi.WriteResult) error
	Transact(ctx context.Context, ops []abi.Op) error
	Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error
}

const (
	maxKVKey     = 8 << 10 // bytes of a guest's key
	maxKVValue   = 4 << 20
	maxKVBatch   = 1000
	maxBulkGet   = 64 // keys that are read at once, if there is room for their values
	maxKVPage    = 1000
	defaultPage  = 100
	keptBuffer   = 1 << 20 // larger buffers are given back after the operation
	maxLabelSize = 64
	maxCursor    = 64 << 10
)

// bucket is a label of the component with what it is bound to. Its number is
// its index + 1, the same in every instance.
type bucket struct {
	label  string
	kv     KV
	prefix []byte // of every stored key
}

func newBuckets(component string, kvs map[string]KV) ([]bucket, error) {
	labels := make([]string, 0, len(kvs))
	for l := range kvs {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	if len(kvs) > 0 && (component == "" || !utf8.ValidString(component)) {
		return nil, errors.New("kv: the component needs a name")
	}
	var buckets []bucket
	for _, l := range labels {
		if l == "" || len(l) > maxLabelSize || !utf8.ValidString(l) {
			return nil, fmt.Errorf("kv: label %q must be 1 to %d bytes of UTF-8", l, maxLabelSize)
		}
		if kvs[l] == nil {
			return nil, fmt.Errorf("kv: label %q is bound to nothing", l)
		}
		buckets = append(buckets, bucket{label: l, kv: kvs[l], prefix: keyPrefix(component, l)})
	}
	return buckets, nil
}

// kvState are the buffers of an instance for one call at a time. They live on
// between operations, so that a call does not allocate.
type kvState struct {
	in  []byte // the request; not the guest's memory, which may go before the back end is done
	key []byte // the stored key

	getReq  abi.GetRequest
	getResp abi.GetResponse
	setReq  abi.SetRequest
	setResp abi.SetResponse
	delReq  abi.DeleteRequest

	reply reply // of the last call
	has   bool  // there was a last call in this operation
}

func (s *State) endKV() {
	k := s.kv
	if !k.has {
		return
	}
	held := cap(k.in) + cap(k.getResp.Value) + cap(k.getResp.ETag) + cap(k.getResp.ContentType) + cap(k.setResp.ETag)
	if held > keptBuffer || cap(k.reply.items) > maxKVPage {
		s.kv = &kvState{}
		return
	}
	k.reply.reset() // its items may hold far more than the buffers
	k.has = false
}

// kvBucket is bucket(label, label_len).
func kvBucket(s *State, m api.Memory, p []uint64) uint64 {
	label, valid := view(m, p[0], p[1])
	if !valid {
		return fail(abi.CodeInvalidArgument)
	}
	for i := range s.host.buckets {
		if s.host.buckets[i].label == string(label) {
			return success(uint64(i) + 1)
		}
	}
	return fail(abi.CodePermission)
}

func (s *State) bucket(n uint64) *bucket {
	n = uint64(uint32(n))
	if n == 0 || n > uint64(len(s.host.buckets)) {
		return nil
	}
	return &s.host.buckets[n-1]
}

// kvFeatures is features(bucket).
func kvFeatures(s *State, _ api.Memory, p []uint64) uint64 {
	b := s.bucket(p[0])
	if b == nil {
		return fail(abi.CodeInvalidArgument)
	}
	const offered = abi.FeatureETag | abi.FeatureTransactional | abi.FeatureTTL | abi.FeatureKeys | abi.FeatureBulk | abi.FeatureContentType
	return success(uint64(b.kv.Features() & offered))
}

// kvOperation carries the request in s.kv.in out and fills s.kv.reply.
type kvOperation func(ctx context.Context, s *State, b *bucket) error

// kvCall is operation(bucket, req, req_len, out, out_cap). The deadline is at
// deadlineAt in the record.
func kvCall(run kvOperation, deadlineAt int) func(*State, api.Memory, []uint64) uint64 {
	return func(s *State, m api.Memory, p []uint64) uint64 {
		s.kv.has = false
		b := s.bucket(p[0])
		req, valid := view(m, p[1], p[2])
		out, valid2 := view(m, p[3], p[4])
		if b == nil || !valid || !valid2 {
			return fail(abi.CodeInvalidArgument)
		}
		if len(req) > abi.MaxBuffer { // it is copied, and the copy is in no guest's budget
			return fail(abi.CodeTooLarge)
		}
		if !s.move(len(req)) {
			return fail(abi.CodeQuota)
		}
		s.kv.in = append(s.kv.in[:0], req...)
		s.kv.reply.reset()
		var err error
		// Most guests pass on the time that they were given, which s.op knows.
		if limit := deadlineIn(s.kv.in, deadlineAt); limit > 0 && !s.op.endsWithin(limit) {
			ctx, cancel := context.WithTimeout(s.op, limit)
			err = s.runKV(ctx, b, run)
			cancel()
		} else {
			err = s.runKV(s.op, b, run)
		}
		if err != nil {
			s.kv.reply.fail(s.host, err)
		}
		s.kv.has = true
		return s.deliver(&s.kv.reply, out, uint32(p[3]))
	}
}

// runKV runs an operation. If the context ended, the back end may still hold
// the buffers, and the next call gets new ones.
func (s *State) runKV(ctx context.Context, b *bucket, run kvOperation) error {
	err := run(ctx, s, b) // a back end looks at the context itself
	if err != nil && ctx.Err() != nil {
		s.kv = &kvState{}
	}
	return err
}

// Where the deadline is in a request and in a batch record.
const (
	requestDeadline = 56
	batchDeadline   = 24
)

// deadlineIn is the time in milliseconds at rec[at:], 0 = none.
func deadlineIn(rec []byte, at int) time.Duration {
	if len(rec) < at+8 {
		return 0
	}
	const most = uint64(24 * time.Hour / time.Millisecond)
	return time.Duration(min(le.Uint64(rec[at:]), most)) * time.Millisecond
}

// kvResult is result(out, out_cap).
func kvResult(s *State, m api.Memory, p []uint64) uint64 {
	out, valid := view(m, p[0], p[1])
	switch {
	case !valid:
		return fail(abi.CodeInvalidArgument)
	case !s.kv.has:
		return fail(abi.CodeNotFound)
	}
	return s.deliver(&s.kv.reply, out, uint32(p[0]))
}

// deliver writes r into out, which is at addr in the guest, if it fits. It
// counts in any case: the host had to get it.
func (s *State) deliver(r *reply, out []byte, addr uint32) uint64 {
	n := r.size()
	switch {
	case n > abi.MaxBuffer:
		s.spend(n)
		r.reset() // nobody will get it
		r.code = abi.CodeTooLarge
		return fail(r.code)
	case !s.move(int(n)):
		s.spend(n)
		return fail(abi.CodeQuota)
	case n <= uint64(len(out)):
		r.write(out, addr)
	}
	return pack(r.code, int(n))
}

// fail turns the reply into that of an error.
func (r *reply) fail(h *Host, err error) {
	r.reset()
	if errors.Is(err, abi.ErrNotFound) { // an ordinary answer, without allocations
		r.code = abi.CodeNotFound
		return
	}
	r.code = codeOf(err)
	var op *abi.OpError
	if errors.As(err, &op) {
		r.present = true
		r.head.code = uint32(op.Index)
	}
	// Of a back end's errors only those tell their text that are the guest's
	// own doing: others may name hosts and accounts.
	switch r.code {
	case abi.CodeInvalidArgument, abi.CodeTooLarge, abi.CodeUnsupported:
		var e *abi.Error
		if errors.As(err, &e) && e.Msg != "" {
			r.present = true
			r.head.message = []byte(h.Clean(e.Msg, maxLine))
		}
	}
}
