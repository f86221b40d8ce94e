#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install what building needs on Debian, and the packages given as arguments; as a normal user, print the one line to run.
set -euo pipefail

packages=(gcc libc6-dev clang cmake ninja-build pkg-config openssl libssl-dev libprotobuf-c-dev protobuf-c-compiler
	libonnx-dev libjansson-dev uthash-dev libcmocka-dev "$@")

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "This system has no apt-get; install by its own means what Debian calls: ${packages[*]}" >&2
	exit 0
fi
missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) -ne 0 ]]; then
	echo "Missing packages.  Run this line, then the same make again:" >&2
	echo "  sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
	"${missing[@]}"; } </dev/null >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "apt-get failed; its last lines are above" >&2
	exit 1
fi
