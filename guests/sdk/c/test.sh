#!/usr/bin/env bash
# The kit's codec against the golden messages, compiled for this machine.
set -euo pipefail
cd "$(dirname "$0")"
clang=${CLANG:-$(command -v clang-19 || command -v clang || true)}
if [ -z "$clang" ]; then
	echo "c: there is no clang: apt-get install clang-19, or set CLANG" >&2
	exit 127
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sanitize=-fsanitize=address,undefined
echo 'int main(void){return 0;}' | "$clang" $sanitize -x c - -o "$out/try" 2>/dev/null && "$out/try" || sanitize=
"$clang" -std=c11 -g -O1 -Wall -Wextra -Werror $sanitize -o "$out/test" vectors_test.c wasmstate.c
"$out/test" ../../../abi/testdata/vectors/vectors.txt
