;; Every exported item is the same sixty-four KiB: a small memory that becomes three times what a response may be.
(module
  (memory (export "memory") 8)
  ;; The shared buffer is the second page.
  (func (export "ws_open") (param $abi i32) (param $want i32) (result i64)
    (if (i32.gt_u (local.get $want) (i32.const 65536)) (then (return (i64.const 0))))
    (i64.const 0x0001000000010000))
  (func (export "ws_get") (param $len i32) (result i64) (i64.const 0x100000000)) ;; not found
  (func (export "ws_set") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_delete") (param $len i32) (result i64) (i64.const 0))
  (func (export "ws_export") (param $len i32) (result i64) (local $p i32)
    (local.set $p (i32.const 131072))
    (loop $more
      (i32.store (local.get $p) (i32.const 72))
      (i32.store offset=8 (local.get $p) (i32.const 0))
      (i32.store offset=12 (local.get $p) (i32.const 65536))
      (i32.store offset=64 (local.get $p) (i32.const 0))
      (i32.store offset=68 (local.get $p) (i32.const 8))
      (local.set $p (i32.add (local.get $p) (i32.const 72)))
      (br_if $more (i32.lt_u (local.get $p) (i32.const 347072))))
    (memory.fill (i32.const 65536) (i32.const 0) (i32.const 72))
    (i32.store (i32.const 65536) (i32.const 72))
    (i32.store offset=48 (i32.const 65536) (i32.const 131072))
    (i32.store offset=52 (i32.const 65536) (i32.const 3000))
    (i32.store offset=56 (i32.const 65536) (i32.const 72))
    (i64.const 72))
  (func (export "ws_import") (param $len i32) (result i64)
    (i64.const 0))
)
