#!/usr/bin/env bash
# Builds a store in C: build.sh OUT.wasm SOURCE.c… [FLAG…]. CLANG is the
# compiler; without it clang-19, of which the committed modules are made, or the
# clang in PATH.
set -euo pipefail
out=$1
shift
sdk=$(cd "$(dirname "$0")" && pwd)
clang=${CLANG:-$(command -v clang-19 || command -v clang || true)}
if [ -z "$clang" ]; then
	echo "c: there is no clang: apt-get install clang-19 lld-19, or set CLANG" >&2
	exit 127
fi
stage=$(mktemp -d) # the linker writes the name of its output into the module
trap 'rm -rf "$stage"' EXIT
"$clang" --target=wasm32 -nostdlib -ffreestanding -O2 -Wall -Wextra -mbulk-memory -ffunction-sections -I "$sdk" \
	-Wl,--no-entry -Wl,--gc-sections -Wl,--strip-debug -Wl,-z,stack-size=32768 -o "$stage/store.wasm" "$@" "$sdk/wasmstate.c" "$sdk/wasmstate_host.c"
cp "$stage/store.wasm" "$out"
