//go:build !tinygo && !wasip1

package http

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// Do sends a request and waits for the head of its response. Every status is a
// response, not an error.
func Do(req *Request) (*Response, error) {
	ctx, cancel := context.Background(), func() {}
	if req.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, req.Timeout)
	}
	var from io.Reader = bytes.NewReader(req.Body)
	if req.Stream != nil {
		from = req.Stream
	}
	r, err := http.NewRequestWithContext(ctx, req.Method, req.URL, from)
	if err != nil {
		cancel()
		return nil, abi.WrapError(abi.CodeInvalidArgument, "http", err)
	}
	for _, p := range req.Header {
		r.Header.Add(p.Name, p.Value)
	}
	if req.ContentType != "" {
		r.Header.Set("Content-Type", req.ContentType)
	}
	client := http.Client{}
	if req.NoRedirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	got, err := client.Do(r) //nolint:bodyclose // the caller closes it, as Response.Body
	if err != nil {
		cancel()
		code := abi.CodeUnavailable
		if errors.Is(err, context.DeadlineExceeded) {
			code = abi.CodeTimeout
		}
		return nil, abi.WrapError(code, "http", err)
	}
	resp := &Response{Status: got.StatusCode, ContentType: got.Header.Get("Content-Type"), Body: &body{got.Body, cancel}}
	for name, values := range got.Header {
		for _, v := range values {
			resp.Header = append(resp.Header, abi.Pair{Name: strings.ToLower(name), Value: v})
		}
	}
	slices.SortStableFunc(resp.Header, func(a, b abi.Pair) int { return strings.Compare(a.Name, b.Name) })
	return resp, nil
}

// body ends the context of the request with itself.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}
