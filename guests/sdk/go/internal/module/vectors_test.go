package module

import (
	"context"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// recorder keeps what it was asked for, as text in the words of the vectors.
type recorder struct{ seen []string }

func (r *recorder) Init(context.Context, abi.Metadata) error                     { return nil }
func (r *recorder) Features() abi.Features                                       { return 0 }
func (r *recorder) Get(context.Context, *abi.GetRequest, *abi.GetResponse) error { return nil }
func (r *recorder) Close() error                                                 { return nil }
func (r *recorder) Delete(_ context.Context, q *abi.DeleteRequest) error {
	r.seen = append(r.seen, "delete", "key "+text(q.Key), "etag "+text(q.ETag))
	return nil
}

func (r *recorder) Set(ctx context.Context, q *abi.SetRequest, _ *abi.SetResponse) error {
	first := "0"
	if q.FirstWrite {
		first = "1"
	}
	_, deadline := ctx.Deadline()
	r.seen = append(r.seen, "set", "first "+first, "key "+text(q.Key), "value "+text(q.Value), "etag "+text(q.ETag), "type "+text(q.ContentType),
		"ttl "+strconv.FormatInt(q.TTL.Milliseconds(), 10), "deadline "+strconv.FormatBool(deadline), "consistency "+strconv.Itoa(int(q.Consistency)))
	for _, p := range q.Metadata {
		r.seen = append(r.seen, "pair "+text([]byte(p.Name))+" "+text([]byte(p.Value)))
	}
	return nil
}

func text(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

// vector is one golden message.
type vector struct {
	name, kind, expect string
	message            []byte
	items              []map[string]string // of a request: one
	pairs              [][]string
	deadline           string
}

func vectors(t *testing.T) []vector {
	t.Helper()
	raw, err := os.ReadFile("../../../../../abi/testdata/vectors/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	var v *vector
	for _, line := range strings.Split(string(raw), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "vector":
			all = append(all, vector{name: rest})
			v = &all[len(all)-1]
			v.items, v.pairs = []map[string]string{{}}, [][]string{nil}
		case "kind":
			v.kind = rest
			if rest == "batch" {
				v.items, v.pairs = nil, nil
			}
		case "expect":
			v.expect = rest
		case "hex":
			if rest != "-" {
				if v.message, err = hex.DecodeString(rest); err != nil {
					t.Fatal(err)
				}
			}
		case "item":
			v.items, v.pairs = append(v.items, map[string]string{}), append(v.pairs, nil)
		case "", "#", "doc", "end":
		default:
			if word == "deadline" && len(v.items) <= 1 && v.deadline == "" {
				v.deadline = rest
			}
			if n := len(v.items) - 1; n >= 0 {
				if word == "pair" {
					v.pairs[n] = append(v.pairs[n], "pair "+rest)
				} else {
					v.items[n][word] = rest
				}
			}
		}
	}
	return all
}

// want says what a recorder sees of a vector.
func (v *vector) want(t *testing.T) []string {
	t.Helper()
	var want []string
	for i, it := range v.items {
		flags, err := strconv.ParseUint(it["flags"], 10, 32)
		if err != nil {
			t.Fatal(v.name, err)
		}
		if flags&abi.FlagDelete != 0 && v.kind == "batch" {
			want = append(want, "delete", "key "+it["key"], "etag "+it["etag"])
			continue
		}
		ttl, err := strconv.ParseUint(it["ttl"], 10, 64)
		if err != nil {
			t.Fatal(v.name, err)
		}
		want = append(want, "set", "first "+strconv.Itoa(int(flags&abi.FlagFirstWrite)), "key "+it["key"], "value "+it["value"], "etag "+it["etag"], "type "+it["type"],
			"ttl "+strconv.FormatInt(millis(ttl).Milliseconds(), 10), "deadline "+strconv.FormatBool(v.deadline != "0"), "consistency "+strconv.Itoa(int(consistency(uint32(flags)))))
		want = append(want, v.pairs[i]...)
	}
	return want
}

// TestVectors reads the golden requests and batches as a store would see them.
func TestVectors(t *testing.T) {
	seen := map[string]int{}
	for _, v := range vectors(t) {
		if v.kind != "request" && v.kind != "batch" {
			continue // package abi reads and writes those for us
		}
		seen[v.kind+" "+v.expect]++
		t.Run(v.name, func(t *testing.T) {
			rec := &recorder{}
			g := Guest{Store: rec}
			g.Open(abi.Version, uint32(len(v.message)+1024))
			copy(g.buf, v.message)
			run := g.Set
			if v.kind == "batch" {
				run = g.BulkWrite
			}
			code, _ := abi.Unpack(run(uint32(len(v.message))))
			want := map[string]abi.Code{"ok": abi.CodeOK, "malformed": abi.CodeInvalidArgument, "unsupported": abi.CodeUnsupported}[v.expect]
			if code != want {
				t.Fatalf("code %v, want %v", code, want)
			}
			if want != abi.CodeOK {
				if len(rec.seen) > 0 {
					t.Fatalf("the store was called: %v", rec.seen)
				}
				return
			}
			if got, want := strings.Join(rec.seen, "\n"), strings.Join(v.want(t), "\n"); got != want {
				t.Errorf("the store saw\n%s\nwant\n%s", got, want)
			}
		})
	}
	for _, k := range []string{"request ok", "request malformed", "request unsupported", "batch ok", "batch malformed"} {
		if seen[k] == 0 {
			t.Errorf("no vector of kind and expectation %q", k)
		}
	}
}
