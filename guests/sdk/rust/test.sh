#!/usr/bin/env bash
# The crate's tests on this machine, with and without std: the codec against the
# golden messages, and the examples in its documentation.
set -euo pipefail
cd "$(dirname "$0")"
cargo=
for dir in ${WASMSTATE_RUST_BIN:-} /usr/bin "$(dirname "$(command -v cargo || echo /none/cargo)")"; do
	if [ -x "$dir/cargo" ] && [ -x "$dir/rustc" ]; then
		cargo=$dir/cargo
		export RUSTC=$dir/rustc RUSTDOC=$dir/rustdoc
		break
	fi
done
if [ -z "$cargo" ]; then
	echo "rust: there is no cargo: install Rust, or apt-get install rustc-web cargo-web" >&2
	exit 127
fi
export CARGO_TARGET_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/wasmstate/rust-test
"$cargo" test --quiet --offline --locked
"$cargo" test --quiet --offline --locked --no-default-features --test vectors --test messages
# The guests' own tests, which need no runtime; in a copy of the kit there are none.
for guest in ../../cipher ../../crdt; do
	if [ -f "$guest/Cargo.toml" ]; then
		"$cargo" test --quiet --locked --manifest-path "$guest/Cargo.toml"
	fi
done
