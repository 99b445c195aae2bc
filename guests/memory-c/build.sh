#!/usr/bin/env bash
# Builds memory-c.wasm: build.sh [OUT.wasm]. WASMSTATE is the command to pack with.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-memory-c.wasm}
raw=$(mktemp --suffix=.wasm)
trap 'rm -f "$raw"' EXIT
../sdk/c/build.sh "$raw" memory.c
${WASMSTATE:-go run ../../cmd/wasmstate} pack "$raw" --manifest wasmstate.yaml -o "$out"
