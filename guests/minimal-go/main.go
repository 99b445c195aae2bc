// Command minimal-go is the smallest store that keeps something: what an author
// writes, and what the module's size is measured with.
package main

import (
	"context"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
)

type store struct{ values map[string][]byte }

func (s *store) Init(context.Context, abi.Metadata) error { return nil }

func (s *store) Features() abi.Features { return 0 }

func (s *store) Get(_ context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	v, ok := s.values[string(req.Key)]
	if !ok {
		return abi.ErrNotFound
	}
	resp.Value = append(resp.Value[:0], v...)
	return nil
}

func (s *store) Set(_ context.Context, req *abi.SetRequest, _ *abi.SetResponse) error {
	if len(req.ETag) > 0 || req.FirstWrite || req.TTL > 0 {
		return abi.ErrUnsupported
	}
	s.values[string(req.Key)] = append([]byte(nil), req.Value...)
	return nil
}

func (s *store) Delete(_ context.Context, req *abi.DeleteRequest) error {
	if len(req.ETag) > 0 {
		return abi.ErrUnsupported
	}
	delete(s.values, string(req.Key))
	return nil
}

func (s *store) Close() error { return nil }

func init() { sdk.Serve(&store{values: map[string][]byte{}}) }

func main() {}
