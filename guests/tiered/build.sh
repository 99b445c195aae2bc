#!/usr/bin/env bash
# Builds tiered.wasm: build.sh [OUT.wasm]. WASMSTATE is the command to pack with.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-tiered.wasm}
raw=$(mktemp --suffix=.wasm)
trap 'rm -f "$raw"' EXIT
../sdk/c/build.sh "$raw" tiered.c
${WASMSTATE:-go run ../../cmd/wasmstate} pack "$raw" --manifest wasmstate.yaml -o "$out"
