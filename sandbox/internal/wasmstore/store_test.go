package wasmstore

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

// open returns an initialised store over g.
func open(t *testing.T, g *fakeGuest, features abi.Features) *Store {
	t.Helper()
	s := New(g, Config{Features: features})
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "fake"}))
	return s
}

func get(s *Store) (abi.GetResponse, error) {
	var resp abi.GetResponse
	err := s.Get(context.Background(), &abi.GetRequest{Key: []byte("k")}, &resp)
	return resp, err
}

func TestGetCopiesTheEntry(t *testing.T) {
	g := newFake()
	s := open(t, g, abi.FeatureETag|abi.FeatureTTL|abi.FeatureContentType)
	g.respond(opGet, abi.CodeOK, abi.ResponseView{
		Value: g.put(100, "value"), ETag: g.put(200, "7"), ContentType: g.put(300, "text/plain"), ExpiresAt: 42,
	})
	resp, err := get(s)
	require.NoError(t, err)
	require.Equal(t, "value", string(resp.Value))
	require.Equal(t, "7", string(resp.ETag))
	require.Equal(t, "text/plain", string(resp.ContentType))
	require.Equal(t, int64(42), resp.ExpiresAt)
	g.put(100, "VALUE")
	require.Equal(t, "value", string(resp.Value), "nothing points into guest memory")
	require.Equal(t, g.acquired, g.done)
}

func TestWhatIsNotDeclaredIsNotReturned(t *testing.T) {
	g := newFake()
	s := open(t, g, 0)
	g.respond(opGet, abi.CodeOK, abi.ResponseView{
		Value: g.put(100, "v"), ETag: g.put(200, "7"), ContentType: g.put(300, "text/plain"), ExpiresAt: 42,
	})
	resp, err := get(s)
	require.NoError(t, err)
	require.Empty(t, resp.ETag)
	require.Empty(t, resp.ContentType)
	require.Zero(t, resp.ExpiresAt)
}

func TestMalformedGetResponses(t *testing.T) {
	end := uint32(1 << 20)
	for _, tc := range []struct {
		name   string
		code   abi.Code
		view   abi.ResponseView
		detail string
	}{
		{"value behind the end", 0, abi.ResponseView{Value: abi.Span{Addr: end, Len: 1}}, "value"},
		{"value one byte too long", 0, abi.ResponseView{Value: abi.Span{Addr: end - 4, Len: 5}}, "value"},
		{"value wraps", 0, abi.ResponseView{Value: abi.Span{Addr: math.MaxUint32, Len: 2}}, "value"},
		{"value of 4 GiB", 0, abi.ResponseView{Value: abi.Span{Len: math.MaxUint32}}, "value"},
		{"etag", 0, abi.ResponseView{ETag: abi.Span{Addr: end, Len: 1}}, "etag"},
		{"content type", 0, abi.ResponseView{ContentType: abi.Span{Addr: end, Len: 1}}, "content type"},
		{"expiry", 0, abi.ResponseView{ExpiresAt: -1}, "expiry"},
		{"message", abi.CodeInternal, abi.ResponseView{Message: abi.Span{Addr: end - 1, Len: 2}}, "message"},
		{"long message", abi.CodeInternal, abi.ResponseView{Message: abi.Span{Addr: end - 2000, Len: math.MaxUint32}}, "message"},
		{"status", 16, abi.ResponseView{}, "status 16"},
		{"large status", math.MaxUint32, abi.ResponseView{}, "status 4294967295"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newFake()
			s := open(t, g, abi.AllFeatures&^(abi.FeatureQuery|abi.FeatureWatch))
			g.respond(opGet, tc.code, tc.view)
			_, err := get(s)
			require.ErrorIs(t, err, errViolation)
			require.ErrorContains(t, err, tc.detail)
			require.Equal(t, 1, g.violated)
			require.Equal(t, g.acquired, g.done, "the instance is given back")
		})
	}
}

func TestMalformedRecords(t *testing.T) {
	for _, tc := range []struct {
		name string
		size uint32 // returned length
		rec  uint32 // size field
		ok   bool
	}{
		{"empty", 0, 0, true},
		{"exact", 72, 72, true},
		{"newer", 80, 80, true},
		{"size field smaller", 72, 71, false},
		{"size field larger than the response", 72, 73, false},
		{"response too short", 71, 72, false},
		{"response longer than the buffer", firstBuffer + 1, 72, false},
		{"response of 4 GiB", math.MaxUint32, 72, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newFake()
			s := open(t, g, 0)
			g.handlers[opGet] = func(in *fakeInstance, _ uint32) uint64 {
				clear(in.Buffer()[:128])
				putU32(in.Buffer(), tc.rec)
				return abi.Pack(abi.CodeOK, tc.size)
			}
			_, err := get(s)
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, errViolation)
		})
	}
}

func TestErrorsOfTheGuest(t *testing.T) {
	g := newFake()
	s := open(t, g, 0)
	for code := abi.CodeNotFound; code.Valid(); code++ {
		g.respond(opGet, code, abi.ResponseView{})
		_, err := get(s)
		require.Equal(t, code, abi.CodeOf(err))
		g.respond(opGet, code, abi.ResponseView{Message: g.put(100, "because\x1b[2J\n\xff")})
		_, err = get(s)
		require.Equal(t, code, abi.CodeOf(err))
		require.Equal(t, `because\x1b[2J\n`+"\ufffd", err.Error())
	}
	g.put(1000, strings.Repeat("x", 5000))
	g.respond(opGet, abi.CodeInternal, abi.ResponseView{Message: abi.Span{Addr: 1000, Len: 5000}})
	_, err := get(s)
	require.Len(t, err.Error(), maxMessage)
}

func TestLargeRequestsGrowTheBuffer(t *testing.T) {
	g := newFake()
	s := open(t, g, 0)
	var want []uint32
	g.open = func(_ *fakeGuest, n uint32) uint64 {
		want = append(want, n)
		return bufAt<<32 | uint64(n)
	}
	var got string
	g.handlers[opSet] = func(in *fakeInstance, _ uint32) uint64 {
		r, ok := abi.ParseRequest(in.Buffer(), 0)
		require.True(t, ok)
		got = string(r.Value)
		return 0
	}
	value := strings.Repeat("v", 100_000)
	set := func(v string) error {
		return s.Set(context.Background(), &abi.SetRequest{Key: []byte("k"), Value: []byte(v)}, &abi.SetResponse{})
	}
	require.NoError(t, set(value))
	require.Equal(t, value, got)
	require.Equal(t, []uint32{128 << 10}, want)
	require.Zero(t, g.retired)

	g.mem = make([]byte, 16<<20)
	require.NoError(t, set(strings.Repeat("v", 5<<20)))
	require.Equal(t, 1, g.retired, "an instance with a huge buffer is replaced")

	require.Equal(t, abi.CodeTooLarge, abi.CodeOf(set(strings.Repeat("v", abi.MaxBuffer))))
	require.Len(t, want, 2, "the guest is not even asked")

	g.bufLen = firstBuffer
	g.open = func(*fakeGuest, uint32) uint64 { return 0 }
	require.Equal(t, abi.CodeTooLarge, abi.CodeOf(set(value)))
	for name, answer := range map[string]uint64{
		"smaller": bufAt<<32 | 8, "outside": 0xfffff000<<32 | 128<<10, "huge": bufAt<<32 | math.MaxUint32,
	} {
		g.open = func(*fakeGuest, uint32) uint64 { return answer }
		require.ErrorIs(t, set(value), errViolation, name)
	}
	require.Equal(t, g.acquired, g.done)
}

func TestUnsupportedNeverReachesTheGuest(t *testing.T) {
	g := newFake()
	s := open(t, g, 0)
	ctx := context.Background()
	k := []byte("k")
	for name, err := range map[string]error{
		"etag":        s.Set(ctx, &abi.SetRequest{Key: k, ETag: k}, &abi.SetResponse{}),
		"first write": s.Set(ctx, &abi.SetRequest{Key: k, FirstWrite: true}, &abi.SetResponse{}),
		"ttl":         s.Set(ctx, &abi.SetRequest{Key: k, TTL: time.Second}, &abi.SetResponse{}),
		"delete etag": s.Delete(ctx, &abi.DeleteRequest{Key: k, ETag: k}),
		"transact":    s.Transact(ctx, make([]abi.Op, 1)),
		"bulk get":    s.BulkGet(ctx, make([]abi.GetRequest, 1), make([]abi.GetResult, 1)),
		"bulk write":  s.BulkWrite(ctx, make([]abi.Op, 1), make([]abi.WriteResult, 1)),
		"keys":        s.Keys(ctx, &abi.KeysRequest{Limit: 1}, &abi.KeysResponse{}),
		"export":      s.Export(ctx, &abi.ExportRequest{}, &abi.ExportResponse{}),
		"import":      s.Import(ctx, make([]abi.Item, 1)),
	} {
		require.ErrorIs(t, err, abi.ErrUnsupported, name)
	}
	require.Zero(t, g.acquired)
}

func TestInitErasesTheProperties(t *testing.T) {
	g := newFake()
	var seen map[string]string
	g.handlers[opInit] = func(in *fakeInstance, _ uint32) uint64 {
		b, ok := abi.ParseBatch(in.Buffer())
		require.True(t, ok)
		require.Equal(t, "fake", string(b.Name))
		seen = map[string]string{}
		for meta := b.Metadata; ; {
			name, value, rest, ok := abi.NextPair(meta)
			if !ok {
				break
			}
			seen[string(name)], meta = string(value), rest
		}
		return 0
	}
	s := New(g, Config{})
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "fake", Properties: map[string]string{"password": "hunter2", "a": "b"}}))
	require.Equal(t, map[string]string{"password": "hunter2", "a": "b"}, seen)
	require.NotContains(t, string(g.mem), "hunter2")
	require.Error(t, s.Init(t.Context(), abi.Metadata{}), "twice")

	g.respond(opInit, abi.CodeInvalidArgument, abi.ResponseView{Message: g.put(100, "currency: missing")})
	err := New(g, Config{}).Init(t.Context(), abi.Metadata{})
	require.Equal(t, abi.CodeInvalidArgument, abi.CodeOf(err))
	require.ErrorContains(t, err, "currency: missing")
}

func TestCheck(t *testing.T) {
	require.Empty(t, Check(abi.FeatureETag|abi.FeatureTTL|abi.FeatureExport|abi.FeatureBulk, 8))
	require.Empty(t, Check(abi.FeatureTransactional|abi.FeatureKeys, 1))
	require.Len(t, Check(abi.FeatureTransactional, 2), 1)
	require.Len(t, Check(abi.FeatureQuery|abi.FeatureKeys, 2), 2)
}

func TestPingAsksEveryShard(t *testing.T) {
	g := newFake()
	g.shards = 3
	s := open(t, g, 0)
	require.NoError(t, s.Ping(t.Context()))
	require.Equal(t, 3, g.acquired)
	g.respond(opPing, abi.CodeUnavailable, abi.ResponseView{})
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(s.Ping(t.Context())))
	require.Equal(t, g.acquired, g.done)
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	g := &fakeGuest{mem: make([]byte, 1<<20), shards: 1, handlers: map[int]func(*fakeInstance, uint32) uint64{}}
	one := &oneInstance{fakeGuest: g, in: fakeInstance{g: g}}
	s := New(one, Config{Features: abi.FeatureETag})
	require.NoError(t, s.Init(t.Context(), abi.Metadata{}))
	view := abi.ResponseView{Value: g.put(100, "value"), ETag: g.put(200, "7")}
	answer := func(in *fakeInstance, _ uint32) uint64 {
		abi.PutResponse(in.Buffer(), &view)
		return abi.ResponseSize
	}
	g.handlers[opGet], g.handlers[opSet] = answer, answer
	ctx := context.Background()
	req, resp := abi.GetRequest{Key: []byte("key")}, abi.GetResponse{}
	set, setResp := abi.SetRequest{Key: []byte("key"), Value: []byte("value")}, abi.SetResponse{}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if s.Get(ctx, &req, &resp) != nil || s.Set(ctx, &set, &setResp) != nil {
			t.Fatal("failed")
		}
	}))
}

// oneInstance hands out the same instance again and again, as a pool does.
type oneInstance struct {
	*fakeGuest
	in fakeInstance
}

func (g *oneInstance) Acquire(context.Context, int, uint32) (Instance, error) { return &g.in, nil }
