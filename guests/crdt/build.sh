#!/usr/bin/env bash
# Builds crdt.wasm: build.sh [OUT.wasm]. WASMSTATE is the command to pack with.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-crdt.wasm}
raw=$(mktemp --suffix=.wasm)
trap 'rm -f "$raw"' EXIT
../sdk/rust/build.sh . "$raw"
${WASMSTATE:-go run ../../cmd/wasmstate} pack "$raw" --manifest wasmstate.yaml -o "$out"
