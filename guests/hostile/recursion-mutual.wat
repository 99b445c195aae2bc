;; Two functions that call each other through a table without an end.
(module
  (type $f (func (param i32) (result i32)))
  (table 2 2 funcref)
  (elem (i32.const 0) $even $odd)
  (memory (export "memory") 4)
  ;; The shared buffer is the second page.
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (if (i32.gt_u (local.get $want) (i32.const 65536)) (then (return (i64.const 0))))
    (i64.const 0x0001000000010000))
  (func (export "ws_get") (param $len i32) (result i64)
    (i64.extend_i32_u (call $even (i32.const 0))))
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
  (func $even (param $n i32) (result i32)
    (i32.add (i32.const 1) (call_indirect (type $f) (local.get $n) (i32.const 1))))
  (func $odd (param $n i32) (result i32)
    (i32.add (i32.const 1) (call_indirect (type $f) (local.get $n) (i32.const 0))))
)
