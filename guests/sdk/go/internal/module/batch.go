package module

import "github.com/wasmstate/wasmstate/abi"

// batch reads the batch record of a call.
func (g *Guest) batch(n uint32) (abi.BatchView, error) {
	g.moved += uint64(n)
	if uint64(n) > uint64(len(g.buf)) {
		return abi.BatchView{}, errMalformed
	}
	b, ok := abi.ParseBatch(g.buf[:n])
	if !ok {
		return b, errMalformed
	}
	g.ctx.begin(b.Deadline)
	g.pairs, g.records, g.held = g.pairs[:0], g.records[:0], g.held[:0]
	var err error
	g.meta, err = g.checked(b.Flags, b.Metadata)
	return b, err
}

// item appends an item record to the response.
func (g *Guest) item(v *abi.ResponseView) { g.records = abi.AppendResponse(g.records, v) }

func (g *Guest) answerItems(n int, cursor []byte) uint64 {
	v := abi.ResponseView{Key: span(cursor)}
	if n > 0 {
		v.Items, v.ItemSize = abi.Span{Addr: addr(g.records), Len: uint32(n)}, abi.ResponseSize
	}
	return g.answer(abi.CodeOK, &v)
}

// failItem fills the code and the message of an item.
func (g *Guest) failItem(v *abi.ResponseView, err error) {
	if err == nil {
		return
	}
	*v = abi.ResponseView{Code: uint32(codeOf(err))}
	if text := message(err); text != "" {
		b := []byte(text)
		g.held = append(g.held, b)
		v.Message = span(b)
	}
}

// BulkGet serves ws_bulk_get.
func (g *Guest) BulkGet(n uint32) uint64 {
	b, err := g.batch(n)
	if err != nil {
		return g.fail(err)
	}
	g.gets = g.gets[:0]
	for i := range b.Count {
		v, ok := b.Item(i)
		if !ok {
			return g.fail(errMalformed)
		}
		meta, err := g.checked(v.Flags, v.Metadata)
		if err != nil {
			return g.fail(err)
		}
		g.gets = append(g.gets, abi.GetRequest{Key: v.Key, Consistency: consistency(v.Flags), Metadata: meta})
	}
	for len(g.results) < b.Count {
		g.results = append(g.results, abi.GetResult{})
	}
	results := g.results[:b.Count]
	for i := range results {
		results[i].Reset()
		results[i].Err = nil
	}
	if bulk, ok := g.Store.(abi.BulkGetter); ok {
		if err := bulk.BulkGet(&g.ctx, g.gets, results); err != nil {
			return g.fail(err)
		}
	} else {
		for i := range results {
			results[i].Err = g.Store.Get(&g.ctx, &g.gets[i], &results[i].GetResponse)
		}
	}
	for i := range results {
		var v abi.ResponseView
		result(&v, &results[i].GetResponse)
		g.moved += uint64(len(results[i].Value))
		g.failItem(&v, results[i].Err)
		g.item(&v)
	}
	return g.answerItems(b.Count, nil)
}

// readOps decodes the writes of a batch.
func (g *Guest) readOps(b *abi.BatchView) error {
	g.ops = g.ops[:0]
	for i := range b.Count {
		v, ok := b.Item(i)
		if !ok {
			return errMalformed
		}
		meta, err := g.checked(v.Flags, v.Metadata)
		if err != nil {
			return &abi.OpError{Index: i, Err: err}
		}
		op := abi.Op{SetRequest: setRequest(&v, meta)}
		if v.Flags&abi.FlagDelete != 0 {
			op.Kind = abi.OpDelete
		}
		g.ops = append(g.ops, op)
	}
	return nil
}

// BulkWrite serves ws_bulk_write.
func (g *Guest) BulkWrite(n uint32) uint64 {
	b, err := g.batch(n)
	if err == nil {
		err = g.readOps(&b)
	}
	if op := opError(err); op != nil {
		err = op.Err // an index means something in transactions only
	}
	if err != nil {
		return g.fail(err)
	}
	for len(g.writes) < b.Count {
		g.writes = append(g.writes, abi.WriteResult{})
	}
	results := g.writes[:b.Count]
	for i := range results {
		results[i].ETag, results[i].Err = results[i].ETag[:0], nil
	}
	if bulk, ok := g.Store.(abi.BulkWriter); ok {
		if err := bulk.BulkWrite(&g.ctx, g.ops, results); err != nil {
			return g.fail(err)
		}
	} else {
		for i := range g.ops {
			if op := &g.ops[i]; op.Kind == abi.OpDelete {
				d := op.Delete()
				results[i].Err = g.Store.Delete(&g.ctx, &d)
			} else {
				results[i].Err = g.Store.Set(&g.ctx, &op.SetRequest, &results[i].SetResponse)
			}
		}
	}
	for i := range results {
		v := abi.ResponseView{ETag: span(results[i].ETag)}
		g.failItem(&v, results[i].Err)
		g.item(&v)
	}
	return g.answerItems(b.Count, nil)
}

// Transact serves ws_transact.
func (g *Guest) Transact(n uint32) uint64 {
	b, err := g.batch(n)
	if err != nil {
		return g.whole(err)
	}
	if err := g.readOps(&b); err != nil {
		return g.whole(err)
	}
	t, ok := g.Store.(abi.Transactor)
	if !ok {
		return g.whole(errUnsupported)
	}
	return g.whole(t.Transact(&g.ctx, g.ops))
}

// whole answers a transaction: with the index of the operation to blame, or
// without a record, which would blame operation 0.
func (g *Guest) whole(err error) uint64 {
	if op := opError(err); op != nil {
		return g.failWith(op.Err, uint32(op.Index))
	}
	return abi.Pack(codeOf(err), 0)
}

// Import serves ws_import.
func (g *Guest) Import(n uint32) uint64 {
	b, err := g.batch(n)
	if err != nil {
		return g.fail(err)
	}
	im, ok := g.Store.(abi.Importer)
	if !ok {
		return g.fail(errUnsupported)
	}
	items := make([]abi.Item, 0, min(b.Count, 1<<16))
	for i := range b.Count {
		v, ok := b.Item(i)
		if !ok {
			return g.fail(errMalformed)
		}
		items = append(items, abi.Item{Key: v.Key, Value: v.Value, ETag: v.ETag, ContentType: v.ContentType, ExpiresAt: int64(v.TTL)})
	}
	return g.fail(im.Import(&g.ctx, items))
}
