#!/usr/bin/env bash
# One step of the Makefile of this folder, for one guest or kit:
#
#   run.sh build GUEST      build it in place
#   run.sh verify GUEST     build it elsewhere and compare it with the committed files
#   run.sh vectors KIT      run the kit's own tests
#
# Build and test scripts exit with 127 if their compiler is not installed.
set -uo pipefail
cd "$(dirname "$0")"
step=$1 name=$2
# The committed modules in Rust are what Debian's compiler makes; where it is, it
# goes before a rustup with the target.
if [ -z "${WASMSTATE_RUST_BIN:-}" ] && [ -f "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/Cargo.lock" ]; then
	export WASMSTATE_RUST_BIN=/usr/bin
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

case $step in
build) "$name/build.sh" ;;
verify)
	if [ "$name" = hostile ]; then
		"$name/build.sh" "$out"
	else
		"$name/build.sh" "$out/$name.wasm"
	fi
	;;
vectors) "sdk/$name/test.sh" ;;
esac
code=$?
if [ $code = 127 ] && [ -z "${WASMSTATE_REQUIRE:-}" ]; then
	echo "$step $name: skipped, its compiler is not installed (make toolchains)"
	exit 0
elif [ $code != 0 ]; then
	echo "$step $name: failed (exit code $code)" >&2
	exit 1
fi
[ "$step" = verify ] || { echo "$step $name: ok"; exit 0; }

for built in "$out"/*.wasm; do
	committed=$name/$(basename "$built")
	if ! cmp -s "$built" "$committed"; then
		echo "verify $name: $committed is not what its source builds (sha256 $(sha256sum <"$built" | cut -c1-16) built," \
			"$(sha256sum <"$committed" | cut -c1-16) committed): run make guests and commit it" >&2
		exit 1
	fi
done
for committed in "$name"/*.wasm; do
	if [ ! -f "$out/$(basename "$committed")" ]; then
		echo "verify $name: nothing builds $committed" >&2
		exit 1
	fi
done
echo "verify $name: $(find "$name" -maxdepth 1 -name '*.wasm' | wc -l) file(s) as committed"
