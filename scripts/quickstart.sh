#!/usr/bin/env bash
# The README's first command and its curl lines, on free ports and a copy of
# the example. Fails unless every answer is the one the README promises.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
cp -r examples/quickstart/components "$work/components"
sed -i "s|statestore.db|$work/statestore.db|" "$work/components/statestore.yaml"
go build -o "$work/wasmstate" ./cmd/wasmstate
"$work/wasmstate" run --components-path "$work/components" --http-port 0 --metrics-port 0 --admin-port 0 2>"$work/log" &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT

url=
for _ in $(seq 300); do
	url=$(sed -n 's/.*INFO\tready\t.*"http": "\([^"]*\)".*/http:\/\/\1/p' "$work/log")
	[ -n "$url" ] && break
	kill -0 $server 2>/dev/null || { cat "$work/log"; exit 1; }
	sleep 0.1
done
[ -n "$url" ] || { cat "$work/log"; exit 1; }

expect() { # status, then the arguments of curl
	local want=$1 got
	shift
	got=$(curl -s -o /dev/null -w '%{http_code}' "$@")
	[ "$got" = "$want" ] || { echo "curl $*: $got instead of $want"; exit 1; }
}
for store in statestore notes; do
	state=$url/v1.0/state/$store
	expect 204 -X POST "$state" -d '[{"key":"a","value":{"n":1}}]'
	expect 200 "$state/a"
	expect 409 -X POST "$state" -d '[{"key":"a","value":2,"etag":"stale"}]'
	expect 204 -X DELETE "$state/a"
	expect 204 "$state/a"
done
kill $server
wait $server
echo "quickstart: 10 passed, 0 failed"
