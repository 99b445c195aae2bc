package main

import (
	"context"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
)

// after returns the index of the first key behind cursor, or not before
// prefix at the start.
func after(keys []string, prefix, cursor string) int {
	if cursor < prefix {
		i, _ := slices.BinarySearch(keys, prefix)
		return i
	}
	i, found := slices.BinarySearch(keys, cursor)
	if found && cursor != "" {
		i++
	}
	return i
}

// Keys lists a page; the cursor is the last key of the page before.
func (s *store) Keys(ctx context.Context, req *abi.KeysRequest, resp *abi.KeysResponse) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	resp.Keys, resp.Cursor = resp.Keys[:0], resp.Cursor[:0]
	all, prefix := s.keys(), string(req.Prefix)
	for i := after(all, prefix, string(req.Cursor)); i < len(all) && strings.HasPrefix(all[i], prefix); i++ {
		if s.live([]byte(all[i])) == nil {
			continue
		}
		if len(resp.Keys) == req.Limit {
			resp.Cursor = append(resp.Cursor, resp.Keys[len(resp.Keys)-1]...)
			return nil
		}
		resp.Keys = append(resp.Keys, []byte(all[i]))
	}
	return nil
}

// Export returns a page of items; the cursor is the last key of the page before.
func (s *store) Export(ctx context.Context, req *abi.ExportRequest, resp *abi.ExportResponse) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	resp.Items, resp.Cursor = resp.Items[:0], resp.Cursor[:0]
	all, bytes := s.keys(), 0
	for i := after(all, "", string(req.Cursor)); i < len(all); i++ {
		e := s.live([]byte(all[i]))
		if e == nil {
			continue
		}
		size := len(all[i]) + len(e.value)
		if len(resp.Items) > 0 && bytes+size > req.MaxBytes {
			resp.Cursor = append(resp.Cursor, resp.Items[len(resp.Items)-1].Key...)
			return nil
		}
		bytes += size
		resp.Items = append(resp.Items, abi.Item{
			Key: []byte(all[i]), Value: clone(e.value), ETag: clone(e.tag()), ContentType: clone(e.contentType), ExpiresAt: e.expires,
		})
	}
	return nil
}

// Import stores items as they are.
func (s *store) Import(ctx context.Context, items []abi.Item) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := sdk.NowMillis()
	for i := range items {
		it := &items[i]
		if it.ExpiresAt != 0 && it.ExpiresAt <= now {
			continue
		}
		etag := append(make([]byte, 0, len(it.ETag)), it.ETag...)
		s.put(string(it.Key), &entry{value: clone(it.Value), contentType: clone(it.ContentType), etagText: etag, expires: it.ExpiresAt})
	}
	return nil
}
