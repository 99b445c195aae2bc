;; The shared buffer is smaller than asked for.
(module
  (memory (export "memory") 4)
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (i64.const 0x0001000000000008))
  (func (export "ws_get") (param $len i32) (result i64) (i64.const 0x100000000)) ;; not found
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
)
