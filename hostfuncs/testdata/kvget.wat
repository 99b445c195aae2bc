;; Calls kv.get as a guest does: BenchmarkKVGet.
(module
  (import "wasmstate_kv" "get" (func $get (param i32 i32 i32 i32 i32) (result i64)))
  (memory (export "memory") 4)
  (func (export "get") (param $len i32) (result i64)
    (call $get (i32.const 1) (i32.const 1024) (local.get $len) (i32.const 65536) (i32.const 131072))))
