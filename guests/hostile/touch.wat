;; Touches one byte of every page of its memory that was never touched, over and
;; over: a unit of fuel takes far longer than usual.
(module
  (memory (export "memory") 200)
  ;; The shared buffer is the second page.
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (if (i32.gt_u (local.get $want) (i32.const 65536)) (then (return (i64.const 0))))
    (i64.const 0x0001000000010000))
  (func (export "ws_get") (param $len i32) (result i64) (local $a i32)
    (loop $again
      (i32.store8 (local.get $a) (i32.const 1))
      (local.set $a (i32.rem_u (i32.add (local.get $a) (i32.const 4096)) (i32.const 13107200)))
      (br $again))
    (unreachable))
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
)
