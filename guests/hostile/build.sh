#!/usr/bin/env bash
# Builds every .wat of this folder, and good.c: build.sh [OUT-FOLDER].
# wat2wasm is the one in PATH or the one that guests/toolchains.sh installed.
# --no-check: some of the modules are invalid on purpose.
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath -m "${1:-.}")
tools=${WASMSTATE_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/wasmstate/toolchains}
wat2wasm=$(command -v wat2wasm || true)
[ -n "$wat2wasm" ] || wat2wasm=$tools/npm/node_modules/.bin/wat2wasm
clang=$(command -v clang-19 || command -v clang || true)
if [ ! -x "$wat2wasm" ] || [ -z "$clang" ]; then
	echo "hostile: needs wat2wasm (npm install wabt) and clang with wasm-ld" >&2
	exit 127
fi
printf '%s\n' *.wat | xargs -P "$(nproc)" -I{} sh -c '"$0" --no-check --enable-tail-call --debug-names "$1" -o "$2/${1%.wat}.wasm"' "$wat2wasm" {} "$out"
"$clang" --target=wasm32 -nostdlib -O2 -Wall -mbulk-memory -Wl,--no-entry -Wl,--strip-debug -o "$out/good.wasm" good.c
