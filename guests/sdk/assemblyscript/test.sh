#!/usr/bin/env bash
# The kit's codec against the golden messages, as WebAssembly in Node.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v node >/dev/null; then
	echo "assemblyscript: there is no node" >&2
	exit 127
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
./build.sh "$out/vectors.wasm" tests/vectors.ts
node tests/vectors.mjs "$out/vectors.wasm" ../../../abi/testdata/vectors/vectors.txt
