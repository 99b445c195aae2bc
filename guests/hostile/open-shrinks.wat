;; Gives a smaller buffer when a larger one is asked for.
(module
  (global $opened (mut i32) (i32.const 0))
  (memory (export "memory") 4)
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (if (global.get $opened) (then (return (i64.const 0x0001000000000010))))
    (global.set $opened (i32.const 1))
    (i64.const 0x0001000000010000))
  (func (export "ws_get") (param $len i32) (result i64) (i64.const 0x100000000)) ;; not found
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
)
