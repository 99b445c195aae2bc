package sandbox_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// largeKV is a component behind a bucket in which somebody has stored items with
// content types of 16 MiB. It counts what goes through it.
type largeKV struct {
	hostfuncs.KV
	read, written int // bytes
}

func (k *largeKV) Features() abi.Features { return math.MaxUint32 }

func (k *largeKV) BulkGet(_ context.Context, reqs []abi.GetRequest, results []abi.GetResult) error {
	for i := range reqs {
		results[i].ContentType = bytes.Repeat([]byte{'t'}, 16<<20)
		k.read += len(results[i].ContentType)
	}
	return nil
}

func (k *largeKV) Set(_ context.Context, req *abi.SetRequest, _ *abi.SetResponse) error {
	k.written += len(req.Value) + len(req.ContentType)
	return nil
}

func (k *largeKV) BulkWrite(_ context.Context, ops []abi.Op, _ []abi.WriteResult) error {
	for i := range ops {
		k.written += len(ops[i].Value) + len(ops[i].ContentType)
	}
	return nil
}

// TestHostileKV has guests with a bucket that make the host take a multiple of
// what they send: items that share their bytes, and one key read a thousand times.
func TestHostileKV(t *testing.T) {
	m := newModules(t)
	for name, most := range map[string]largeKV{
		"kv-contenttype-bomb": {},
		"kv-bulkget-bomb":     {read: 64<<20 + 16<<20}, // what a response may have, and an item
	} {
		t.Run(name, func(t *testing.T) {
			kv := &largeKV{}
			s, err := m.Open(t.Context(), guestbuild.WithManifest(guestbuild.Hostile(t, name), all, "pool"), sandbox.Config{
				Component: "bomb", Settings: sandbox.Settings{Memory: 32 << 20, Timeout: patientTimeout}, Host: hostfuncs.Config{KV: map[string]hostfuncs.KV{"b": kv}},
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "bomb"}))
			if err := s.Set(t.Context(), &abi.SetRequest{Key: []byte("k"), Value: []byte("v")}, &abi.SetResponse{}); err != nil {
				require.Equal(t, abi.CodeTooLarge, abi.CodeOf(err), "%v", err) // it hands the host's answer on
			}
			for range 4 {
				kv.read = 0
				require.ErrorIs(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{}), abi.ErrNotFound)
				require.LessOrEqual(t, kv.read, most.read)
			}
			require.LessOrEqual(t, kv.written, most.written)
		})
	}
}
