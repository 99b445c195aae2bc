#!/usr/bin/env bash
# Installs what the tests use and this machine lets us install. Never fails:
# a test whose server or compiler is missing skips and prints why. With
# WASMSTATE_REQUIRE=1 (CI) a missing one fails the test instead.
#
#   deps.sh test     servers for the store and guest tests
set -u

have() { command -v "$1" >/dev/null 2>&1; }

apt_install() { # command package
	have "$1" && return 0
	if ! have apt-get || [ "$(id -u)" != 0 ]; then
		echo "deps: $1 is missing and cannot be installed here (needs apt-get as root): its tests skip" >&2
		return 0
	fi
	if [ -z "${apt_updated:-}" ]; then
		apt-get update -qq >/dev/null 2>&1 || true
		apt_updated=1
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1 ||
		echo "deps: apt-get could not install $2: the tests that need $1 skip" >&2
}

apt_install redis-server redis-server
exit 0
