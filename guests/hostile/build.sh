#!/bin/sh
# Builds every .wat of this folder into the .wasm beside it, and good.c.
# wat2wasm comes with wabt (npm install -g wabt, or apt install wabt).
# --no-check: some of the modules are invalid on purpose.
set -eu
cd "$(dirname "$0")"
wat2wasm=$(command -v wat2wasm || true)
[ -n "$wat2wasm" ] || wat2wasm="npx --yes --package=wabt wat2wasm"
for src in *.wat; do
	$wat2wasm --no-check --enable-tail-call --debug-names "$src" -o "${src%.wat}.wasm"
done
clang=$(command -v clang || command -v clang-19 || true)
if [ -n "$clang" ]; then
	"$clang" --target=wasm32 -nostdlib -O2 -Wall -mbulk-memory -Wl,--no-entry -Wl,--strip-debug -o good.wasm good.c
else
	echo "good.c: skipped, there is no clang" >&2
fi
