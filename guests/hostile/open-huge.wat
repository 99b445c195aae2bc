;; The shared buffer is 4 GiB long.
(module
  (memory (export "memory") 4)
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (i64.const 0x00010000ffffffff))
  (func (export "ws_get") (param $len i32) (result i64) (i64.const 0x100000000)) ;; not found
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
)
