// Command lines is a store for the tests of the kit, for standard Go: it speaks
// to a server of text lines through a client of the standard library.
package main

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"os"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	sdk "github.com/wasmstate/wasmstate/guests/sdk/go"
	"github.com/wasmstate/wasmstate/guests/sdk/go/tcp"
)

func init() { sdk.Serve(&store{}) }

func main() {}

type store struct {
	conn   net.Conn
	client *textproto.Conn
}

func (s *store) Init(context.Context, abi.Metadata) error { return nil }

func (s *store) Features() abi.Features { return 0 }

// Get sends the key, except "connect ADDR", "hang", "close" and "address".
func (s *store) Get(ctx context.Context, req *abi.GetRequest, resp *abi.GetResponse) error {
	key := string(req.Key)
	switch {
	case len(key) > 8 && key[:8] == "connect ":
		c, err := tcp.DialContext(ctx, "tcp", key[8:])
		if err == nil {
			s.conn, s.client = c, textproto.NewConn(c)
		}
		return err
	case key == "address":
		resp.Value = append(resp.Value, s.conn.RemoteAddr().String()...)
		return nil
	case key == "close":
		return s.client.Close()
	case key == "hang": // the server says nothing
		if err := s.conn.SetReadDeadline(sdk.Now().Add(20 * time.Millisecond)); err != nil {
			return err
		}
		_, err := s.conn.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || errors.Is(err, os.ErrClosed) {
			return errors.New("no timeout")
		}
		if _, again := s.conn.Read(make([]byte, 1)); abi.CodeOf(again) != abi.CodeTimeout { // the deadline has passed
			return again
		}
		if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
		return err
	}
	if err := s.client.PrintfLine("%s", key); err != nil {
		return err
	}
	line, err := s.client.ReadLine()
	resp.Value = append(resp.Value, line...)
	return err
}

func (s *store) Set(context.Context, *abi.SetRequest, *abi.SetResponse) error {
	return abi.ErrUnsupported
}

func (s *store) Delete(context.Context, *abi.DeleteRequest) error { return abi.ErrUnsupported }

func (s *store) Close() error { return nil }
