#!/bin/sh
# Builds the modules of the tests from the sources beside them. wat2wasm comes
# with wabt (npm install -g wabt, or apt install wabt).
set -eu
cd "$(dirname "$0")"
for src in all kvget; do
	wat2wasm "$src.wat" -o "$src.wasm"
done
clang=$(command -v clang || command -v clang-19)
"$clang" --target=wasm32 -nostdlib -O2 -Wall -mbulk-memory -Wl,--no-entry -Wl,--strip-debug -o passthrough.wasm passthrough.c
