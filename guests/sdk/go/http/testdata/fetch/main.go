// Command fetch is a store for the tests of the kit: keys are requests.
package main

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
	"github.com/wasmstate/wasmstate/guests/sdk/go/http"
)

func init() { sdk.Serve(store{}) }

func main() {}

type store struct{}

func (store) Init(context.Context, abi.Metadata) error { return nil }

func (store) Features() abi.Features { return 0 }

// Get fetches the key. The value is the status, the header x-many twice and
// the body.
func (store) Get(_ context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	kind, arg, _ := strings.Cut(string(req.Key), " ")
	switch kind {
	case "config":
		v, err := sdk.Config(arg)
		resp.Value = append(resp.Value, v...)
		return err
	case "secret":
		v, err := sdk.Secret(arg)
		resp.Value = append(resp.Value, v...)
		return err
	case "count":
		if err := sdk.Observe("seconds", 0.25); err != nil {
			return err
		}
		return sdk.Count(arg, 3)
	}
	r, err := http.Do(&http.Request{
		URL: arg, NoRedirects: kind == "stay", Timeout: 5 * time.Second, Header: []abi.Pair{{Name: "X-Asked", Value: "yes"}},
	})
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	resp.Value = strconv.AppendInt(resp.Value, int64(r.Status), 10)
	for _, p := range r.Header {
		if p.Name == "x-many" {
			resp.Value = append(append(resp.Value, ' '), p.Value...)
		}
	}
	resp.Value = append(append(append(resp.Value, ' '), r.Get("location")...), ' ')
	resp.Value = append(resp.Value, body...)
	return r.Body.Close()
}

// Set sends the value, as a stream if the key begins with "stream".
func (store) Set(_ context.Context, req *abi.SetRequest, _ *abi.SetResponse) error {
	kind, url, _ := strings.Cut(string(req.Key), " ")
	r := http.Request{Method: "PUT", URL: url, ContentType: "text/x-test", Body: req.Value}
	if kind == "stream" {
		r.Stream = bytes.NewReader(req.Value)
	}
	resp, err := http.Do(&r)
	if err != nil {
		return err
	}
	if resp.Status != 204 {
		return abi.NewError(abi.CodeInternal, "status "+strconv.Itoa(resp.Status))
	}
	return nil
}

func (store) Delete(context.Context, *abi.DeleteRequest) error { return abi.ErrUnsupported }

func (store) Close() error { return nil }
