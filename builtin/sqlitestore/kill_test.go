package sqlitestore_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// childEnv names the database that a child process writes to until it is
// killed.
const childEnv = "WASMSTATE_TEST_SQLITE_CHILD"

const childCallers = 8

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		child(path)
	}
	os.Exit(m.Run())
}

// child counts up in one key per caller and reports every acknowledged write.
func child(path string) {
	t := &testing.B{}
	s, err := try(t, "connectionString", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range childCallers {
		wg.Go(func() {
			ctx := context.Background()
			n := 0
			var resp abi.GetResponse
			if s.Get(ctx, &abi.GetRequest{Key: fmt.Append(nil, "k", i)}, &resp) == nil {
				n, _ = strconv.Atoi(string(resp.Value))
			}
			for {
				n++
				var err error
				op := abi.Op{SetRequest: abi.SetRequest{Key: fmt.Append(nil, "k", i), Value: strconv.AppendInt(nil, int64(n), 10)}}
				if i%2 == 0 {
					err = s.Set(ctx, &op.SetRequest, &abi.SetResponse{})
				} else {
					pair := op
					pair.Key = fmt.Append(nil, "pair", i)
					err = s.(abi.Transactor).Transact(ctx, []abi.Op{op, pair})
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(i, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill kills a writing process again and again. Whatever it had
// acknowledged must be there, and transactions must be whole.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	var acknowledged [childCallers]int
	total := 0
	for range 20 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 20 + rand.IntN(300); left > 0 && lines.Scan(); left-- {
			note(t, lines.Text(), &acknowledged)
			total++
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what was on its way when the process died
			note(t, lines.Text(), &acknowledged)
			total++
		}
		cmd.Wait()

		s := open(t, "connectionString", path)
		for i, want := range acknowledged {
			got := number(t, s, "k", i)
			if got < want {
				t.Fatalf("key %d: %d was acknowledged, %d is stored", i, want, got)
			}
			if i%2 == 1 && number(t, s, "pair", i) != got {
				t.Fatalf("transaction of key %d was torn: %d and %d", i, got, number(t, s, "pair", i))
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged writes", total)
}

func note(t *testing.T, line string, acknowledged *[childCallers]int) {
	var i, n int
	if c, err := fmt.Sscan(line, &i, &n); c != 2 || err != nil {
		return // the process died in the middle of the line
	}
	if n <= acknowledged[i] {
		t.Fatalf("key %d went back from %d to %d", i, acknowledged[i], n)
	}
	acknowledged[i] = n
}

func number(t *testing.T, s abi.Store, name string, i int) int {
	t.Helper()
	var resp abi.GetResponse
	err := s.Get(t.Context(), &abi.GetRequest{Key: fmt.Append(nil, name, i)}, &resp)
	if abi.CodeOf(err) == abi.CodeNotFound {
		return 0
	}
	n, convErr := strconv.Atoi(string(resp.Value))
	if err != nil || convErr != nil {
		t.Fatal(err, convErr)
	}
	return n
}

// TestTwoProcesses writes to a file that another process writes to.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "connectionString", path)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged [childCallers]int
	etag := ""
	lines := bufio.NewScanner(out)
	for range 300 {
		if !lines.Scan() {
			t.Fatal("the other process ended")
		}
		note(t, lines.Text(), &acknowledged)
		etag = set(t, s, abi.SetRequest{Key: []byte("ours"), Value: []byte("v"), ETag: []byte(etag)})
		for i, want := range acknowledged {
			if got := number(t, s, "k", i); got < want {
				t.Fatalf("key %d: the other process was told %d, we see %d", i, want, got)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	set(t, s, abi.SetRequest{Key: []byte("ours"), Value: []byte("v"), ETag: []byte(etag)})
}
