#!/usr/bin/env bash
# Builds a guest crate: build.sh CRATE-FOLDER OUT.wasm. The module is the same
# bytes in every folder. A toolchain without the standard library for
# wasm32-unknown-unknown (Debian's rustc-web) builds it from rust-web-src.
set -euo pipefail
crate=$(cd "$1" && pwd)
out=$(realpath -m "$2")
sdk=$(cd "$(dirname "$0")" && pwd)
target=wasm32-unknown-unknown
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wasmstate/rust
export CARGO_TARGET_DIR=${WASMSTATE_RUST_TARGET:-$cache}

std_source() { [ -f "$("$1" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; }
has_target() { [ -d "$("$1" --print sysroot)/lib/rustlib/$target/lib" ]; }

cargo= rustc= flags=()
# WASMSTATE_RUST_BIN is a folder with rustc and cargo to use, and no other; else a
# compiler that has the target goes before one that has to build it.
dirs=("$(dirname "$(command -v rustc || echo /none/rustc)")" /usr/bin)
[ -z "${WASMSTATE_RUST_BIN:-}" ] || dirs=("$WASMSTATE_RUST_BIN")
for dir in "${dirs[@]}"; do
	if [ -x "$dir/rustc" ] && [ -x "$dir/cargo" ] && has_target "$dir/rustc"; then
		cargo=$dir/cargo rustc=$dir/rustc
		break
	fi
done
for dir in "${dirs[@]}"; do
	[ -z "$cargo" ] && [ -x "$dir/rustc" ] && [ -x "$dir/cargo" ] || continue
	if std_source "$dir/rustc" && linker=$(command -v wasm-ld-19 || command -v wasm-ld || command -v rust-lld); then
		cargo=$dir/cargo rustc=$dir/rustc flags=(-Z build-std=std,panic_abort)
		export RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker
	fi
done
if [ -n "${flags[*]:-}" ] && [ ! -d "$CARGO_TARGET_DIR/$target" ]; then
	echo "rust: $rustc has no standard library for $target; building it from its source takes a minute or two, once. rustup target add $target has it ready" >&2
fi
if [ -z "$cargo" ]; then
	echo "rust: no compiler for $target: rustup target add $target, or apt-get install rustc-web cargo-web rust-web-src lld-19" >&2
	exit 127
fi
sysroot=$("$rustc" --print sysroot)
export RUSTC=$rustc
export CARGO_ENCODED_RUSTFLAGS=$(printf '%s\x1f' \
	"--remap-path-prefix=$crate=guest" "--remap-path-prefix=$sdk=wasmstate" \
	"--remap-path-prefix=$sysroot/lib/rustlib/src/rust=rust" "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
	-Clink-arg=-zstack-size=65536)
CARGO_ENCODED_RUSTFLAGS=${CARGO_ENCODED_RUSTFLAGS%$'\x1f'}
"$cargo" build --quiet --release --locked "${flags[@]}" --target $target --manifest-path "$crate/Cargo.toml"
name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$crate/Cargo.toml" | head -1)
cp "$CARGO_TARGET_DIR/$target/release/${name//-/_}.wasm" "$out"
