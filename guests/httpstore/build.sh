#!/usr/bin/env bash
# Builds httpstore.wasm: build.sh [OUT.wasm]. WASMSTATE is the command to pack with.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-httpstore.wasm}
raw=$(mktemp --suffix=.wasm)
trap 'rm -f "$raw"' EXIT
../sdk/assemblyscript/build.sh "$raw" assembly/index.ts
${WASMSTATE:-go run ../../cmd/wasmstate} pack "$raw" --manifest wasmstate.yaml -o "$out"
