#!/usr/bin/env bash
# The kit's tests on this machine: messages, the golden ones among them.
set -euo pipefail
cd "$(dirname "$0")"
go test ./...
