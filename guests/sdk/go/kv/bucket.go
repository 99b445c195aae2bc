//go:build tinygo || wasip1

package kv

import (
	"unsafe"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"
)

//go:wasmimport wasmstate_kv bucket
func hostBucket(label unsafe.Pointer, n uint32) uint64

//go:wasmimport wasmstate_kv features
func hostFeatures(bucket uint32) uint64

//go:wasmimport wasmstate_kv get
func hostGet(bucket uint32, req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_kv set
func hostSet(bucket uint32, req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_kv delete
func hostDelete(bucket uint32, req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_kv bulk_get
func hostBulkGet(bucket uint32, req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_kv bulk_write
func hostBulkWrite(bucket uint32, req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_kv transact
func hostTransact(bucket uint32, req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_kv keys
func hostKeys(bucket uint32, req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64

//go:wasmimport wasmstate_kv result
func hostResult(out unsafe.Pointer, max uint32) uint64

func bytes(b []byte) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

// Bucket is the part of a component's keys that belongs to this component and
// one label. Slices of requests are copied; what responses get is the caller's.
type Bucket struct {
	id      uint32
	in, out []byte // buffers of one call at a time
}

// Open returns the bucket with a label that the operator has bound; otherwise
// the error has the code abi.CodePermission. Call it in Init: a bucket lives as
// long as the instance.
func Open(label string) (*Bucket, error) {
	code, id := abi.Unpack(hostBucket(unsafe.Pointer(unsafe.StringData(label)), uint32(len(label))))
	if code != abi.CodeOK {
		return nil, abi.NewError(code, "kv: no bucket with the label "+label)
	}
	return &Bucket{id: id, out: make([]byte, 4096)}, nil
}

// Features are those of the component behind.
func (b *Bucket) Features() abi.Features {
	_, bits := abi.Unpack(hostFeatures(b.id))
	return abi.Features(bits)
}

// Get reads one key. The slices of resp are written from the start, as in
// abi.Store.
func (b *Bucket) Get(req *abi.GetRequest, resp *abi.GetResponse) error {
	v, err := b.call(
		func(e *abi.Encoder) { e.Get(req, 0) },
		func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64 {
			return hostGet(b.id, req, n, out, max)
		})
	if err != nil {
		return err
	}
	b.copyGet(resp, v)
	return nil
}

// Set writes one key.
func (b *Bucket) Set(req *abi.SetRequest, resp *abi.SetResponse) error {
	v, err := b.call(
		func(e *abi.Encoder) { e.Set(req, 0) },
		func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64 {
			return hostSet(b.id, req, n, out, max)
		})
	if err == nil && resp != nil {
		resp.ETag = append(resp.ETag[:0], b.at(v.ETag)...)
	}
	return err
}

// Delete removes one key.
func (b *Bucket) Delete(req *abi.DeleteRequest) error {
	_, err := b.call(
		func(e *abi.Encoder) { e.Delete(req, 0) },
		func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64 {
			return hostDelete(b.id, req, n, out, max)
		})
	return err
}

// BulkGet reads up to 1,000 keys in one call; len(results) == len(reqs).
func (b *Bucket) BulkGet(reqs []abi.GetRequest, results []abi.GetResult) error {
	v, err := b.call(
		func(e *abi.Encoder) { e.BulkGet(reqs, 0) },
		func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64 {
			return hostBulkGet(b.id, req, n, out, max)
		})
	if err != nil {
		return err
	}
	return b.eachItem(v, len(results), func(i int, item *abi.ResponseView) {
		results[i].Err = b.itemError(item)
		results[i].Reset()
		if results[i].Err == nil {
			b.copyGet(&results[i].GetResponse, item)
		}
	})
}

// BulkWrite applies up to 1,000 writes, each for itself; len(results) == len(ops).
func (b *Bucket) BulkWrite(ops []abi.Op, results []abi.WriteResult) error {
	v, err := b.call(
		func(e *abi.Encoder) { e.Ops(ops, 0) },
		func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64 {
			return hostBulkWrite(b.id, req, n, out, max)
		})
	if err != nil {
		return err
	}
	return b.eachItem(v, len(results), func(i int, item *abi.ResponseView) {
		results[i].Err = b.itemError(item)
		results[i].ETag = append(results[i].ETag[:0], b.at(item.ETag)...)
	})
}

// Transact applies up to 1,000 writes or none. The error of a failing operation
// is an *abi.OpError. The component behind must have abi.FeatureTransactional.
func (b *Bucket) Transact(ops []abi.Op) error {
	v, err := b.call(
		func(e *abi.Encoder) { e.Ops(ops, 0) },
		func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64 {
			return hostTransact(b.id, req, n, out, max)
		})
	if err != nil && v != nil && int(v.Code) < len(ops) {
		return &abi.OpError{Index: int(v.Code), Err: err}
	}
	return err
}

// Keys lists a page of at most req.Limit keys (0 = 100, at most 1,000).
func (b *Bucket) Keys(req *abi.KeysRequest, resp *abi.KeysResponse) error {
	v, err := b.call(
		func(e *abi.Encoder) { e.Keys(req, 0) },
		func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64 {
			return hostKeys(b.id, req, n, out, max)
		})
	if err != nil {
		return err
	}
	resp.Keys = resp.Keys[:0]
	resp.Cursor = append(resp.Cursor[:0], b.at(v.Key)...)
	return b.eachItem(v, int(v.Items.Len), func(_ int, item *abi.ResponseView) {
		resp.Keys = append(resp.Keys, append([]byte(nil), b.at(item.Key)...))
	})
}

func (b *Bucket) copyGet(resp *abi.GetResponse, v *abi.ResponseView) {
	resp.Value = append(resp.Value[:0], b.at(v.Value)...)
	resp.ETag = append(resp.ETag[:0], b.at(v.ETag)...)
	resp.ContentType = append(resp.ContentType[:0], b.at(v.ContentType)...)
	resp.ExpiresAt = v.ExpiresAt
}

func (b *Bucket) itemError(item *abi.ResponseView) error {
	if item.Code == 0 {
		return nil
	}
	return abi.NewError(abi.Code(item.Code), string(b.at(item.Message)))
}

// at is what a response points at, which lies in the buffer behind the record.
func (b *Bucket) at(s abi.Span) []byte { return module.At(b.out, s) }

// call sends a request and reads the response. With an error the response is
// nil if the host sent none.
func (b *Bucket) call(
	encode func(*abi.Encoder), send func(req unsafe.Pointer, n uint32, out unsafe.Pointer, max uint32) uint64,
) (*abi.ResponseView, error) {
	e := abi.Encoder{Buf: b.in[:cap(b.in)]}
	encode(&e)
	if !e.Fits() {
		if e.Size() > abi.MaxBuffer {
			return nil, abi.NewError(abi.CodeTooLarge, "kv: the request is larger than 64 MiB")
		}
		b.in = make([]byte, e.Size())
		e = abi.Encoder{Buf: b.in}
		encode(&e)
	}
	req, _ := bytes(e.Buf)
	out, size := bytes(b.out)
	code, n := abi.Unpack(send(req, uint32(e.Size()), out, size))
	if uint64(n) > uint64(len(b.out)) { // the operation is done; only its response is fetched again
		b.out = make([]byte, n)
		out, size = bytes(b.out)
		code, n = abi.Unpack(hostResult(out, size))
	}
	if uint64(n) > uint64(len(b.out)) {
		return nil, abi.NewError(abi.CodeInternal, "kv: the response does not fit")
	}
	v, ok := abi.ParseResponse(b.out[:n])
	switch {
	case !ok:
		return nil, abi.NewError(abi.CodeInternal, "kv: the response is malformed")
	case code == abi.CodeOK:
		return &v, nil
	case n == 0:
		return nil, abi.NewError(code, "")
	}
	return &v, abi.NewError(code, string(b.at(v.Message)))
}

// eachItem visits the items of a response, which must be want.
func (b *Bucket) eachItem(v *abi.ResponseView, want int, visit func(i int, item *abi.ResponseView)) error {
	if int(v.Items.Len) != want {
		return abi.NewError(abi.CodeInternal, "kv: the response has the wrong number of items")
	}
	items := b.at(abi.Span{Addr: v.Items.Addr, Len: v.Items.Len * v.ItemSize})
	if uint64(len(items)) != uint64(want)*uint64(v.ItemSize) {
		return abi.NewError(abi.CodeInternal, "kv: the items of the response lie outside of it")
	}
	for i := range want {
		item, ok := abi.ParseResponse(items[uint32(i)*v.ItemSize:])
		if !ok {
			return abi.NewError(abi.CodeInternal, "kv: an item of the response is malformed")
		}
		visit(i, &item)
	}
	return nil
}
