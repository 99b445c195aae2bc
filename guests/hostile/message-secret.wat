;; The error of ws_init is the whole request: every property, with the secret ones.
(module
  (memory (export "memory") 4)
  ;; The shared buffer is the second page.
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (if (i32.gt_u (local.get $want) (i32.const 65536)) (then (return (i64.const 0))))
    (i64.const 0x0001000000010000))
  (func (export "ws_init") (param $len i32) (result i64)
    (memory.copy (i32.const 131072) (i32.const 65536) (local.get $len))
    (memory.fill (i32.const 65536) (i32.const 0) (i32.const 72))
    (i32.store (i32.const 65536) (i32.const 72))
    (i32.store offset=32 (i32.const 65536) (i32.const 131072))
    (i32.store offset=36 (i32.const 65536) (local.get $len))
    (i64.const 0xe00000048))
  (func (export "ws_get") (param $len i32) (result i64) (i64.const 0x100000000))
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
)
