#!/usr/bin/env bash
# Installs the guest compilers that this machine allows: clang, Rust for
# WebAssembly, TinyGo, Zig, AssemblyScript and the WebAssembly binary tools. What
# is there already is left alone, so a second run takes no time.
#
#   toolchains.sh            install, then say what is there
#
# apt-get is used as root only; npm, pip and Go need no rights. What cannot be
# installed is named, and its guests are skipped. With WASMSTATE_REQUIRE=1 a
# missing compiler is an error.
#
# TinyGo, Zig and the npm packages go to $WASMSTATE_TOOLCHAINS, by default the folder
# wasmstate/toolchains in the user's cache.
set -uo pipefail

tools=${WASMSTATE_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/wasmstate/toolchains}
tinygo_version=v0.41.0
zig_package=ziglang==0.17.1
npm_packages=(assemblyscript@0.28.20 wabt@1.0.39 binaryen@132.0.0)
missing=()

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'toolchains: %s\n' "$*"; }

# first prints the first of the commands that exists.
first() { for c in "$@"; do have "$c" && command -v "$c" && return; done; return 1; }

apt_install() {
	if ! have apt-get || [ "$(id -u)" != 0 ]; then
		say "cannot install $* (needs apt-get as root)" >&2
		return 1
	fi
	if [ -z "${apt_updated:-}" ]; then
		apt-get update -qq >/dev/null 2>&1
		apt_updated=1
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

clang_there() { have clang-19 && have wasm-ld-19; }
install_clang() { clang_there || apt_install clang-19 lld-19; }

# Debian's rustc has no standard library for wasm32-unknown-unknown, but its
# source: the SDK's build.sh compiles it. A rustup toolchain with the target
# will do as well.
rust_there() {
	local r
	for r in ${WASMSTATE_RUST_BIN:-/none}/rustc /usr/bin/rustc "$(command -v rustc)"; do
		[ -x "$r" ] || continue
		[ -d "$("$r" --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib" ] && return
		[ -f "$("$r" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ] && return
	done
	return 1
}
install_rust() { rust_there || apt_install rustc-web cargo-web rust-web-src lld-19; }

npm_there() { [ -x "$tools/npm/node_modules/.bin/asc" ] && [ -x "$tools/npm/node_modules/.bin/wat2wasm" ] && [ -x "$tools/npm/node_modules/.bin/wasm-opt" ]; }
install_npm() {
	npm_there && return
	have npm || apt_install nodejs npm || return
	mkdir -p "$tools/npm" && (
		cd "$tools/npm" &&
			printf '{"private": true, "description": "compilers for wasmstate guests"}\n' >package.json &&
			npm install --ignore-scripts --no-audit --no-fund --silent "${npm_packages[@]}"
	)
}

zig_there() { have zig || [ -x "$tools/bin/zig" ]; }

# The Python package is the whole compiler.
install_zig() {
	zig_there && return
	have python3 || apt_install python3 python3-pip || return
	rm -rf "$tools/zig" && mkdir -p "$tools/bin" &&
		python3 -m pip install --quiet --disable-pip-version-check --no-deps --root-user-action ignore --target "$tools/zig" "$zig_package" &&
		printf '#!/bin/sh\nPYTHONPATH="%s" exec python3 -m ziglang "$@"\n' "$tools/zig" >"$tools/bin/zig" && chmod +x "$tools/bin/zig"
}

tinygo_there() { have tinygo || [ -x "$tools/tinygo/bin/tinygo" ]; }

# No release archive of TinyGo can be had from a package registry; its source
# can, as a Go module. It is linked with Debian's LLVM.
install_tinygo() {
	tinygo_there && return
	apt_install llvm-19-dev libclang-19-dev liblld-19-dev clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 || return
	local source stage
	source=$(cd / && go mod download -json "github.com/tinygo-org/tinygo@$tinygo_version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
	[ -n "$source" ] || return
	mkdir -p "$tools" && stage=$(mktemp -d "$tools/tinygo-XXXXXX") || return
	cp -r "$source/." "$stage" && chmod -R u+w "$stage" && mkdir -p "$stage/src/net" &&
		(cd "$stage" && CGO_ENABLED=1 go build -tags llvm19 -o bin/tinygo .) &&
		rm -rf "$tools/tinygo" && mv "$stage" "$tools/tinygo" && return
	rm -rf "$stage"
	return 1
}

for tool in clang rust npm zig tinygo; do
	if ! install_$tool || ! ${tool}_there; then
		missing+=("$tool")
	fi
done

say "C: $(first clang-19 clang || echo missing)"
say "Rust: $(rust_there && echo found || echo missing)"
say "AssemblyScript, wat2wasm, wasm-opt: $(npm_there && echo "$tools/npm" || echo missing)"
say "Zig: $(command -v zig || { [ -x "$tools/bin/zig" ] && echo "$tools/bin/zig"; } || echo missing)"
say "TinyGo: $(command -v tinygo || { [ -x "$tools/tinygo/bin/tinygo" ] && echo "$tools/tinygo/bin/tinygo"; } || echo missing)"
if [ ${#missing[@]} -gt 0 ]; then
	say "not installed: ${missing[*]}; the guests that need them are skipped" >&2
	[ -z "${WASMSTATE_REQUIRE:-}" ] || exit 1
fi
