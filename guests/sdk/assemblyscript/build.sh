#!/usr/bin/env bash
# Builds a store in AssemblyScript: build.sh OUT.wasm ENTRY.ts [FLAG…]. ASC is
# the compiler, or asc in PATH, or the one that guests/toolchains.sh installed.
# Name the entry file relative to the current folder: paths end up in traps.
set -euo pipefail
out=$1
shift
tools=${WASMSTATE_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/wasmstate/toolchains}
asc=${ASC:-$(command -v asc || true)}
if [ -z "$asc" ] && [ -x "$tools/npm/node_modules/.bin/asc" ]; then
	asc=$tools/npm/node_modules/.bin/asc
fi
if [ -z "$asc" ]; then
	echo "assemblyscript: there is no asc: npm install assemblyscript, or set ASC" >&2
	exit 127
fi
"$asc" --runtime incremental -O2 --debug --exportStart _initialize --outFile "$out" "$@"
