package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/wasmstate/wasmstate/abi"
)

func transactRules() []Rule {
	const need = abi.FeatureTransactional
	return []Rule{
		{ID: "transact.empty", Doc: "a transaction without operations does nothing", Needs: need, run: transactEmpty},
		{ID: "transact.ordered", Doc: "operations are applied in order", Needs: need, run: transactOrdered},
		{ID: "transact.values", Doc: "a transaction keeps values, and buffers may be reused after it", Needs: need, run: transactValues},
		{ID: "transact.limit", Doc: "a transaction above the declared limit is refused whole", Needs: need, run: transactLimit},
		{ID: "transact.context", Doc: "a transaction whose context has ended changes nothing", Needs: need, run: transactContext},
		{ID: "transact.conflict", Doc: "a conflict applies nothing and names the operation", Needs: need | abi.FeatureETag, run: transactConflict},
		{ID: "transact.sees-itself", Doc: "etags and first-write are checked against what earlier operations left", Needs: need | abi.FeatureETag, run: transactSeesItself},
		{ID: "transact.etags", Doc: "a transaction gives new etags and honours the current ones", Needs: need | abi.FeatureETag, run: transactETags},
	}
}

func transactConcurrentRules() []Rule {
	const need = abi.FeatureTransactional
	return []Rule{
		{ID: "transact.atomic", Doc: "others see all operations of a transaction or none", Needs: need, run: transactAtomic},
		{ID: "transact.one-winner", Doc: "of N concurrent transactions with one etag exactly one wins", Needs: need | abi.FeatureETag, run: transactOneWinner},
	}
}

func (e *env) opSet(key, value string, etag []byte) abi.Op {
	return abi.Op{SetRequest: abi.SetRequest{Key: e.key(key), Value: []byte(value), ETag: etag}}
}

func (e *env) opCreate(key, value string) abi.Op {
	op := e.opSet(key, value, nil)
	op.FirstWrite = true
	return op
}

func (e *env) opDelete(key string, etag []byte) abi.Op {
	return abi.Op{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: e.key(key), ETag: etag}}
}

func (e *env) transact(ctx context.Context, ops ...abi.Op) error {
	tx, ok := e.store.(abi.Transactor)
	if !ok {
		return errors.New("does not implement abi.Transactor")
	}
	return tx.Transact(ctx, ops)
}

// conflict fails unless err is a mismatch of operation index.
func conflict(err error, index int) error {
	if err := mismatch("transact", err); err != nil {
		return err
	}
	var op *abi.OpError
	if !errors.As(err, &op) {
		return fmt.Errorf("transact: the error is not an *abi.OpError: %w", err)
	}
	if op.Index != index {
		return fmt.Errorf("transact: operation %d is blamed, want %d", op.Index, index)
	}
	return nil
}

func transactEmpty(ctx context.Context, e *env) error { return e.transact(ctx) }

func transactOrdered(ctx context.Context, e *env) error {
	if _, err := e.set(ctx, "gone", "v"); err != nil {
		return err
	}
	err := e.transact(ctx, e.opSet("a", "1", nil), e.opSet("b", "1", nil), e.opSet("a", "2", nil), e.opDelete("b", nil),
		e.opDelete("c", nil), e.opSet("c", "1", nil), e.opDelete("gone", nil), e.opDelete("never", nil))
	return first(err, e.holds(ctx, "a", "2"), e.missing(ctx, "b"), e.holds(ctx, "c", "1"), e.missing(ctx, "gone"), e.missing(ctx, "never"))
}

func transactValues(ctx context.Context, e *env) error {
	var ops []abi.Op
	want := corpus()
	for name, v := range want {
		ops = append(ops, e.opSet(name, string(v), nil))
	}
	ops = append(ops, e.opSet("empty", "", nil))
	want["empty"] = nil
	if l, ok := e.store.(abi.TransactionLimiter); ok && l.MaxTransactionOps() < len(ops) {
		for _, op := range ops[l.MaxTransactionOps():] {
			delete(want, string(op.Key[len(e.prefix):]))
		}
		ops = ops[:l.MaxTransactionOps()]
	}
	if err := e.transact(ctx, ops...); err != nil {
		return err
	}
	for _, op := range ops {
		scribble(op.Key, op.Value)
	}
	for name, v := range want {
		if err := e.holds(ctx, name, string(v)); err != nil {
			return err
		}
	}
	return nil
}

func transactLimit(ctx context.Context, e *env) error {
	l, ok := e.store.(abi.TransactionLimiter)
	if !ok {
		return nil
	}
	most := l.MaxTransactionOps()
	if most < 1 {
		return fmt.Errorf("MaxTransactionOps is %d, want at least 1", most)
	}
	if most > 10000 {
		return nil
	}
	var ops []abi.Op
	for i := range most + 1 {
		ops = append(ops, e.opSet("k"+strconv.Itoa(i), "v", nil))
	}
	if err := code("a transaction above the limit", e.transact(ctx, ops...), abi.CodeTooLarge, abi.CodeInvalidArgument); err != nil {
		return err
	}
	return first(e.missing(ctx, "k0"), e.transact(ctx, ops[:most]...), e.holds(ctx, "k0", "v"))
}

func transactContext(ctx context.Context, e *env) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	err := e.transact(ended, e.opSet("k", "v", nil))
	return first(code("transact with an ended context", err, abi.CodeCancelled, abi.CodeTimeout), e.missing(ctx, "k"))
}

func transactConflict(ctx context.Context, e *env) error {
	old, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	current, err := e.set(ctx, "k", "2")
	if err != nil {
		return err
	}
	if _, err := e.set(ctx, "stays", "s"); err != nil {
		return err
	}
	before := []abi.Op{e.opSet("new", "n", nil), e.opDelete("stays", nil), e.opSet("k", "3", current), e.opCreate("new2", "n")}
	for what, bad := range map[string]abi.Op{
		"old etag": e.opSet("stays", "x", old), "delete with old etag": e.opDelete("k", old), "create of an existing key": e.opCreate("k", "x"),
		"etag on a missing key": e.opSet("never", "x", old), "delete with etag of a missing key": e.opDelete("never", old),
	} {
		ops := append(append([]abi.Op{}, before...), bad, e.opSet("after", "a", nil))
		err := first(conflict(e.transact(ctx, ops...), len(before)),
			e.missing(ctx, "new"), e.missing(ctx, "new2"), e.missing(ctx, "after"), e.holds(ctx, "stays", "s"), e.holds(ctx, "k", "2"))
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	resp, err := e.get(ctx, "k")
	if err == nil && string(resp.ETag) != string(current) {
		err = fmt.Errorf("a refused transaction changed an etag from %q to %q", current, resp.ETag)
	}
	return first(err, conflict(e.transact(ctx, e.opSet("k", "x", old)), 0), e.transact(ctx, before...))
}

func transactSeesItself(ctx context.Context, e *env) error {
	etag, err := e.set(ctx, "k", "1")
	if err != nil {
		return err
	}
	return first(
		conflict(e.transact(ctx, e.opCreate("a", "1"), e.opCreate("a", "2")), 1), e.missing(ctx, "a"),
		conflict(e.transact(ctx, e.opSet("k", "2", nil), e.opSet("k", "3", etag)), 1), e.holds(ctx, "k", "1"),
		conflict(e.transact(ctx, e.opDelete("k", nil), e.opSet("k", "3", etag)), 1), e.holds(ctx, "k", "1"),
		conflict(e.transact(ctx, e.opDelete("k", etag), e.opDelete("k", etag)), 1), e.holds(ctx, "k", "1"),
		e.transact(ctx, e.opDelete("k", etag), e.opCreate("k", "new")), e.holds(ctx, "k", "new"))
}

func transactETags(ctx context.Context, e *env) error {
	seen := map[string]bool{}
	etag, err := e.set(ctx, "k", "0")
	for i := 0; err == nil && i < 4; i++ {
		if err := fresh(seen, etag); err != nil {
			return err
		}
		if err := e.transact(ctx, e.opSet("k", strconv.Itoa(i), etag), e.opSet("other", "o", nil)); err != nil {
			return err
		}
		var resp *abi.GetResponse
		if resp, err = e.get(ctx, "k"); err == nil {
			etag = resp.ETag
		}
	}
	return err
}

func transactAtomic(ctx context.Context, e *env) error {
	if err := e.transact(ctx, e.opSet("a", "0", nil), e.opSet("b", "0", nil)); err != nil {
		return err
	}
	read := func(key string) (int, error) {
		resp, err := e.get(ctx, key)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(string(resp.Value))
	}
	var stop atomic.Bool
	rounds := e.pick(300, 50)
	return errors.Join(parallel(4, func(i int) error {
		if i == 0 { // the writer counts up in both keys; then a read first never exceeds b read later
			defer stop.Store(true)
			for n := range rounds {
				if err := e.transact(ctx, e.opSet("a", strconv.Itoa(n), nil), e.opSet("b", strconv.Itoa(n), nil)); err != nil {
					return err
				}
			}
			return nil
		}
		for !stop.Load() {
			a, err := read("a")
			if err != nil {
				return err
			}
			b, err := read("b")
			if err != nil {
				return err
			}
			if a > b {
				return fmt.Errorf("saw the first write of a transaction without the second: %d, %d", a, b)
			}
		}
		return nil
	})...)
}

func transactOneWinner(ctx context.Context, e *env) error {
	for range e.pick(10, 3) {
		etag, err := e.set(ctx, "k", "start")
		if err != nil {
			return err
		}
		winner, err := oneWinner(parallel(e.pick(16, 8), func(i int) error {
			return e.transact(ctx, e.opSet("mark", strconv.Itoa(i), nil), e.opSet("k", strconv.Itoa(i), etag))
		}))
		if err != nil {
			return err
		}
		if err := first(e.holds(ctx, "k", strconv.Itoa(winner)), e.holds(ctx, "mark", strconv.Itoa(winner))); err != nil {
			return err
		}
	}
	return nil
}
