;; Imports the function by which the meter gives fuel.
(module
  (import "wasmstate.meter/1" "refill" (func $refill))
  (memory (export "memory") 4)
  ;; The shared buffer is the second page.
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (if (i32.gt_u (local.get $want) (i32.const 65536)) (then (return (i64.const 0))))
    (i64.const 0x0001000000010000))
  (func (export "ws_get") (param $len i32) (result i64)
    (loop $again
      (call $refill)
      (br $again))
    (unreachable))
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
)
