#!/usr/bin/env bash
# Builds respstore.wasm with TinyGo. WASMSTATE is the command to pack with.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-respstore.wasm}
raw=$(mktemp --suffix=.wasm)
trap 'rm -f "$raw"' EXIT
../sdk/go/tinygo.sh "$raw" .
${WASMSTATE:-go run ../../cmd/wasmstate} pack "$raw" --manifest wasmstate.yaml -o "$out"
