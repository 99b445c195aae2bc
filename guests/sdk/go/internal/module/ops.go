package module

import (
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// Init serves ws_init.
func (g *Guest) Init(n uint32) uint64 {
	md := abi.Metadata{}
	if n > 0 {
		b, err := g.batch(n)
		if err != nil {
			return g.fail(err)
		}
		md.Name = string(b.Name)
		md.Properties = map[string]string{}
		for _, p := range g.meta {
			md.Properties[p.Name] = p.Value
		}
	}
	if g.Store == nil {
		return g.fail(abi.NewError(abi.CodeInternal, "the module never called sdk.Serve"))
	}
	return g.fail(g.Store.Init(&g.ctx, md))
}

// Get serves ws_get.
func (g *Guest) Get(n uint32) uint64 {
	v, err := g.request(n)
	if err != nil {
		return g.fail(err)
	}
	req := abi.GetRequest{Key: v.Key, Consistency: consistency(v.Flags), Metadata: g.meta}
	g.get.Reset()
	if err := g.Store.Get(&g.ctx, &req, &g.get); err != nil {
		return g.fail(err)
	}
	g.moved += uint64(len(g.get.Value))
	var out abi.ResponseView
	result(&out, &g.get)
	return g.answer(abi.CodeOK, &out)
}

func result(out *abi.ResponseView, r *abi.GetResponse) {
	out.Value, out.ETag, out.ContentType, out.ExpiresAt = span(r.Value), span(r.ETag), span(r.ContentType), r.ExpiresAt
}

func setRequest(v *abi.RequestView, meta []abi.Pair) abi.SetRequest {
	return abi.SetRequest{
		Key: v.Key, Value: v.Value, ETag: v.ETag, ContentType: v.ContentType, FirstWrite: v.Flags&abi.FlagFirstWrite != 0,
		TTL: millis(v.TTL), Consistency: consistency(v.Flags), Metadata: meta,
	}
}

func millis(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(abi.MaxTTL/time.Millisecond))) * time.Millisecond
}

// Set serves ws_set.
func (g *Guest) Set(n uint32) uint64 {
	v, err := g.request(n)
	if err != nil {
		return g.fail(err)
	}
	req := setRequest(&v, g.meta)
	g.set.ETag = g.set.ETag[:0]
	if err := g.Store.Set(&g.ctx, &req, &g.set); err != nil {
		return g.fail(err)
	}
	return g.answer(abi.CodeOK, &abi.ResponseView{ETag: span(g.set.ETag)})
}

// Delete serves ws_delete.
func (g *Guest) Delete(n uint32) uint64 {
	v, err := g.request(n)
	if err != nil {
		return g.fail(err)
	}
	req := abi.DeleteRequest{Key: v.Key, ETag: v.ETag, Consistency: consistency(v.Flags), Metadata: g.meta}
	return g.fail(g.Store.Delete(&g.ctx, &req))
}

// Keys serves ws_keys.
func (g *Guest) Keys(n uint32) uint64 {
	v, err := g.request(n)
	if err != nil {
		return g.fail(err)
	}
	l, ok := g.Store.(abi.Lister)
	if !ok {
		return g.fail(errUnsupported)
	}
	g.keys.Keys, g.keys.Cursor = g.keys.Keys[:0], g.keys.Cursor[:0]
	if err := l.Keys(&g.ctx, &abi.KeysRequest{Prefix: v.Key, Cursor: v.Value, Limit: int(v.Limit)}, &g.keys); err != nil {
		return g.fail(err)
	}
	g.records = g.records[:0]
	for _, k := range g.keys.Keys {
		g.item(&abi.ResponseView{Key: span(k)})
	}
	return g.answerItems(len(g.keys.Keys), g.keys.Cursor)
}

// Export serves ws_export.
func (g *Guest) Export(n uint32) uint64 {
	v, err := g.request(n)
	if err != nil {
		return g.fail(err)
	}
	e, ok := g.Store.(abi.Exporter)
	if !ok {
		return g.fail(errUnsupported)
	}
	g.export = abi.ExportResponse{Items: g.export.Items[:0]}
	if err := e.Export(&g.ctx, &abi.ExportRequest{Cursor: v.Value, MaxBytes: int(v.Limit)}, &g.export); err != nil {
		return g.fail(err)
	}
	g.records = g.records[:0]
	for i := range g.export.Items {
		it := &g.export.Items[i]
		g.moved += uint64(len(it.Value))
		g.item(&abi.ResponseView{
			Key: span(it.Key), Value: span(it.Value), ETag: span(it.ETag), ContentType: span(it.ContentType), ExpiresAt: it.ExpiresAt,
		})
	}
	return g.answerItems(len(g.export.Items), g.export.Cursor)
}

// Ping serves ws_ping.
func (g *Guest) Ping() uint64 {
	g.ctx.begin(0)
	if p, ok := g.Store.(abi.Pinger); ok {
		return g.fail(p.Ping(&g.ctx))
	}
	return 0
}

// Idle serves ws_idle.
func (g *Guest) Idle() uint64 {
	var more uint64
	switch i := g.Store.(type) {
	case interface{ IdleStep() bool }:
		if i.IdleStep() {
			more = 1
		}
	case interface{ Idle() }:
		i.Idle()
	}
	g.release()
	g.collect()
	return more
}

// release gives up what an unusually large response left behind.
func (g *Guest) release() {
	const keep = 256 << 10
	if cap(g.get.Value) > keep {
		g.get.Value = nil
	}
	if cap(g.records) > keep {
		g.records = nil
	}
	g.results, g.export, g.keys, g.held = nil, abi.ExportResponse{}, abi.KeysResponse{}, nil
}

// Close serves ws_close.
func (g *Guest) Close() uint64 { return g.fail(g.Store.Close()) }
