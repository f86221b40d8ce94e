#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make a throwaway certificate authority and one certificate per party, for demos and tests on this machine.
#   make_certs.sh DIR      writes DIR/ca.pem, DIR/party0.pem, DIR/party0.key, DIR/party1.pem, DIR/party1.key
# The authority's own key is deleted at the end, so nobody can add a third party later.
set -euo pipefail
[[ $# -eq 1 ]] || { echo "usage: $0 DIR" >&2; exit 1; }
dir=$1
mkdir -p "$dir"
umask 077
new_key=(openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256)
openssl genpkey -help 2>&1 | grep -q -e -quiet || new_key=(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)

"${new_key[@]}" -out "$dir/ca.key" 2>/dev/null
openssl req -x509 -new -key "$dir/ca.key" -days 30 -subj "/CN=throwaway CA" -out "$dir/ca.pem" \
	-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
for party in 0 1; do
	"${new_key[@]}" -out "$dir/party$party.key" 2>/dev/null
	openssl req -new -key "$dir/party$party.key" -subj "/CN=party$party" -out "$dir/party$party.csr"
	openssl x509 -req -in "$dir/party$party.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -days 30 \
		-set_serial $((party + 2)) -out "$dir/party$party.pem" 2>/dev/null -extfile <(
		echo "basicConstraints=critical,CA:FALSE"
		echo "keyUsage=critical,digitalSignature"
		echo "extendedKeyUsage=serverAuth,clientAuth"
		echo "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
	rm "$dir/party$party.csr"
done
rm "$dir/ca.key"
