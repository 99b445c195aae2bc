;; Three nested loops of four thousand million turns each.
(module
  (memory (export "memory") 4)
  ;; The shared buffer is the second page.
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (if (i32.gt_u (local.get $want) (i32.const 65536)) (then (return (i64.const 0))))
    (i64.const 0x0001000000010000))
  (func (export "ws_get") (param $len i32) (result i64) (local $a i32) (local $b i32) (local $c i32)
    (local.set $a (i32.const -1))
    (loop $la
      (local.set $b (i32.const -1))
      (loop $lb
        (local.set $c (i32.const -1))
        (loop $lc (br_if $lc (local.tee $c (i32.sub (local.get $c) (i32.const 1)))))
        (br_if $lb (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
      (br_if $la (local.tee $a (i32.sub (local.get $a) (i32.const 1)))))
    (i64.const 0))
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
)
