#!/usr/bin/env bash
# Builds a Go store with TinyGo:
#
#   tinygo.sh OUT.wasm PACKAGE [FLAG…]
#
# The target is a variant of TinyGo's wasm-unknown: a precise collector instead
# of none, and a larger stack. TinyGo is $TINYGO, or tinygo in PATH, or the one
# that guests/toolchains.sh built. A TinyGo without its own copy of libc and
# compiler-rt (built from the Go module proxy) is linked with those of the
# packages wasi-libc and libclang-rt-dev-wasm32.
set -euo pipefail
out=$1 package=$2
shift 2

cache=${WASMSTATE_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/wasmstate/toolchains}
tinygo=${TINYGO:-$(command -v tinygo || true)}
if [ -z "$tinygo" ] && [ -x "$cache/tinygo/bin/tinygo" ]; then
	tinygo=$cache/tinygo/bin/tinygo
fi
if [ -z "$tinygo" ]; then
	echo "tinygo.sh: there is no tinygo: install it from tinygo.org or set TINYGO" >&2
	exit 127
fi
if [ -z "${TINYGOROOT:-}" ] && [ -f "$(dirname "$tinygo")/../src/runtime/asm_tinygowasm.S" ]; then
	TINYGOROOT=$(cd "$(dirname "$tinygo")/.." && pwd)
	export TINYGOROOT
fi
root=$("$tinygo" env TINYGOROOT)
if [ -z "${WASMOPT:-}" ] && ! command -v wasm-opt >/dev/null && [ -x "$cache/npm/node_modules/.bin/wasm-opt" ]; then
	export WASMOPT=$cache/npm/node_modules/.bin/wasm-opt
fi
if [ -z "${WASMOPT:-}" ] && ! command -v wasm-opt >/dev/null; then
	echo "tinygo.sh: TinyGo needs wasm-opt: npm install binaryen, or set WASMOPT" >&2
	exit 127
fi

first() { # the first file that exists
	for f in "$@"; do [ -f "$f" ] && echo "$f" && return; done
	return 1
}
libraries='"rtlib": "compiler-rt", "libc": "wasmbuiltins",'
archives=
if [ ! -d "$root/lib/compiler-rt-builtins/lib" ]; then
	libc=$(first /usr/lib/wasm32-wasi*/libc.a) && rt=$(first /usr/lib/llvm-*/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a) || {
		echo "tinygo.sh: this TinyGo has no libc of its own: apt-get install wasi-libc libclang-rt-19-dev-wasm32" >&2
		exit 127
	}
	libraries=
	archives=", \"$libc\", \"$rt\""
fi
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
cat >"$target/store.json" <<JSON
{
  "llvm-target": "wasm32-unknown-unknown", "cpu": "generic",
  "features": "+bulk-memory,+mutable-globals,+nontrapping-fptoint,+sign-ext,-multivalue,-reference-types",
  "build-tags": ["tinygo.wasm", "wasm_unknown"], "buildmode": "c-shared", "goos": "linux", "goarch": "arm",
  "linker": "wasm-ld", $libraries "scheduler": "none", "gc": "precise", "default-stack-size": 65536,
  "ldflags": ["--stack-first", "--no-demangle", "--no-entry"$archives],
  "extra-files": ["src/runtime/asm_tinygowasm.S"]
}
JSON
"$tinygo" build -no-debug -panic=trap -target="$target/store.json" -o "$out" "$@" "$package"
