#!/usr/bin/env bash
# Rebuilds plugin.wasm; needs clang and wasm-ld 19 or newer.
set -eu
cd "$(dirname "$0")"
clang=$(command -v clang-19 || command -v clang)
"$clang" --target=wasm32 -nostdlib -O2 -Wl,--no-entry -Wl,--strip-all -o plugin.wasm plugin.c
