package hostfuncs

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
)

// fakeDNS answers lookups; the n-th of a name, from 0, may differ.
type fakeDNS struct {
	answer func(name string, n int) []netip.Addr

	mu   sync.Mutex
	seen map[string]int // lookups of A by name
}

func (d *fakeDNS) resolver() *net.Resolver {
	d.seen = map[string]int{}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go d.serve(server) // ends when the resolver closes its end
		return client, nil
	}}
}

// names are the names that were looked up.
func (d *fakeDNS) names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for n := range d.seen {
		names = append(names, n)
	}
	return names
}

func (d *fakeDNS) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		resp := d.reply(q)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(resp))), resp...)); err != nil {
			return
		}
	}
}

func (d *fakeDNS) reply(q []byte) []byte {
	var labels []string
	at := 12
	for q[at] != 0 {
		labels = append(labels, string(q[at+1:at+1+int(q[at])]))
		at += 1 + int(q[at])
	}
	end := at + 5
	kind := binary.BigEndian.Uint16(q[at+1:])
	name := strings.ToLower(strings.Join(labels, "."))
	d.mu.Lock()
	n := d.seen[name]
	if kind == 1 {
		d.seen[name]++
	}
	d.mu.Unlock()
	resp := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	for _, a := range d.answer(name, n) {
		if a.Is4() != (kind == 1) || kind != 1 && kind != 28 {
			continue
		}
		resp[7]++
		resp = append(resp, 0xc0, 12, byte(kind>>8), byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(a.BitLen()/8))
		resp = append(resp, a.AsSlice()...)
	}
	return resp
}
