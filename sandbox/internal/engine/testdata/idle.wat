;; A guest whose idle export does what the last ws_set said, by its length:
;; 1: nothing. 2: answers "more" four times and then "done". 3: always "more".
;; 4: fails with status 7. 5: loops for ever. 6: takes some 50 ms. 7: traps.
;; ws_get answers how often the idle export was called.
(module
  (import "meter" "refill" (func $refill))
  (memory (export "memory") 4)
  (global $fuel (export "fuel") (mut i64) (i64.const 100000))
  (global $what (mut i32) (i32.const 1))
  (global $calls (mut i64) (i64.const 0))
  (global $left (mut i32) (i32.const 5))
  (func $pay (param $n i64)
    (global.set $fuel (i64.sub (global.get $fuel) (local.get $n)))
    (if (i64.lt_s (global.get $fuel) (i64.const 0)) (then (call $refill))))
  (func (export "ws_open") (param i32 i32) (result i64) (i64.const 0x0001000000010000))
  (func (export "ws_get") (param i32) (result i64) (global.get $calls))
  (func (export "ws_set") (param $what i32) (result i64) (global.set $what (local.get $what)) (i64.const 0))
  (func (export "ws_delete") (param i32) (result i64) (i64.const 0))
  (func (export "ws_idle") (param i32) (result i64) (local $i i32)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (if (i32.eq (global.get $what) (i32.const 2)) (then
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (return (i64.extend_i32_u (i32.gt_s (global.get $left) (i32.const 0))))))
    (if (i32.eq (global.get $what) (i32.const 3)) (then (return (i64.const 1))))
    (if (i32.eq (global.get $what) (i32.const 4)) (then (return (i64.const 0x700000000))))
    (if (i32.eq (global.get $what) (i32.const 5)) (then (loop $again (call $pay (i64.const 1)) (br $again))))
    (if (i32.eq (global.get $what) (i32.const 6)) (then
      (local.set $i (i32.const 20000000))
      (loop $work
        (call $pay (i64.const 1))
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (br_if $work (local.get $i)))))
    (if (i32.eq (global.get $what) (i32.const 7)) (then unreachable))
    (i64.const 0))
)
