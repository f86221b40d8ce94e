#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Private inference on two trained models, on this machine: compile, deal keys, run two parties over TLS, compare.
#   demo.sh BUILD_DIR [digit inputs, default 5] [text inputs, default 2]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: demo.sh BUILD_DIR [COUNT] [COUNT]}" && pwd)
digits=${2:-5}
texts=${3:-2}
source "$root/tools/lib.sh"
work=$build/demo
rm -rf "$work"
mkdir -p "$work"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

say() { printf '\n%s\n' "$*"; }
show() { printf '  $ %s\n' "${*//$work\//}"; }
fail() {
	printf '\n%s\n' "$1" >&2
	shift
	[[ $# -eq 0 ]] || tail -n 20 "$@" >&2
	exit 1
}

# Compile examples/NAME, deal COUNT keys, mask the weights: prepare NAME COUNT
prepare() {
	local name=$1 count=$2 at=$work/$1 example=$root/examples/$1
	mkdir -p "$at/keys"
	show "sufc model.onnx -o $name.c --calibrate calibrate.npz      (then clang)"
	build_program "$example/model.onnx" "$at/party" --calibrate "$example/calibrate.npz" ||
		fail "compiling examples/$name failed" "$at/party.log"
	show "party keygen --out keys --count $count      (the dealer: sees neither weights nor inputs)"
	"$at/party" keygen --out "$at/keys" --count "$count" --stats "$at/keygen.json" >"$at/keygen.log" 2>&1 ||
		fail "keygen failed" "$at/keygen.log"
	echo "    one pair, in bytes: $("$at/party" info | sed -n 's/^key *\(.*\) bytes$/\1/p')"
	show "party mask-weights --weights party.weights --owner keys/model.owner --out masked.weights"
	"$at/party" mask-weights --weights "$at/party.weights" --owner "$at/keys/model.owner" --out "$at/masked.weights" \
		>"$at/mask.log" 2>&1 || fail "mask-weights failed" "$at/mask.log"
}

# One private inference: infer NAME SAMPLE INPUT; sets private (argmax of the last row), bytes, rounds, seconds
infer() {
	local name=$1 k=$2 input=$3 at=$work/$1 example=$root/examples/$1 key0 key1
	key0=$(printf '%s\n' "$at"/keys/*.p0.key | sed -n "$((k + 1))p")
	key1=${key0%.p0.key}.p1.key
	run_pair "$at/party" "$key0" "$key1" "$at/masked.weights" "$at/run_$k" "127.0.0.1:$(pick_port)" \
		--input "$input=$example/sample_$k.npy" --output "logits=$at/y_$k.npy" ||
		fail "sample $k of $name failed (exit status $status0, $status1)" "$at/run_$k.0.log" "$at/run_$k.1.log"
	private=$("$build/npy" argmax "$at/y_$k.npy")
	private=${private##* }
	bytes=$(($(json_total "$at/run_$k.1.json" sent_bytes) + $(json_total "$at/run_$k.1.json" received_bytes)))
	rounds=$(json_total "$at/run_$k.1.json" rounds)
	seconds=$(json_total "$at/run_$k.1.json" online_ms | awk '{ printf "%.2f", $1 / 1000 }')
}

# The character with a number in examples/char_gpt/vocabulary.json, which holds one JSON string.
character() {
	sed -e 's/^"//' -e 's/"$//' -e 's/\\\(["\\]\)/\1/g' "$root/examples/char_gpt/vocabulary.json" |
		awk -v k="$1" '{ c = substr($0, k + 1, 1); print c == "" ? "other" : c == " " ? "space" : c }'
}

say "1. Certificates: a throwaway authority, one certificate per party (TLS 1.3, both sides checked)"
"$root/tools/make_certs.sh" "$work/certs"
use_tls "$work/certs"

agree=0
if [[ $digits -gt 0 ]]; then
	say "2. A vision transformer for handwritten digits (examples/digits_vit, trained on real data)"
	prepare digits_vit "$digits"
	say "   Party 0 and party 1 are two processes.  Neither learns the weights; party 0 learns neither image nor answer."
	printf '   %-7s %-6s %-6s %-8s %12s %7s %9s\n' image label float private bytes rounds seconds
	while read -r k label float _; do
		[[ $k != "#" ]] || continue
		[[ $k -lt $digits ]] || break
		infer digits_vit "$k" pixels
		[[ $private != "$float" ]] || agree=$((agree + 1))
		printf '   %-7s %-6s %-6s %-8s %12s %7s %9s\n' "$k" "$label" "$float" "$private" "$bytes" "$rounds" "$seconds"
	done <"$root/examples/digits_vit/samples.txt"
fi

if [[ $texts -gt 0 ]]; then
	say "3. A character-level GPT (examples/char_gpt): which character comes next?"
	prepare char_gpt "$texts"
	printf '\n   %-33s %-6s %-6s %-8s %12s %7s %9s\n' "text (32 characters, secret)" truth float private bytes rounds seconds
	while read -r k label float caption; do
		[[ $k != "#" ]] || continue
		[[ $k -lt $texts ]] || break
		infer char_gpt "$k" input_ids
		[[ $private != "$float" ]] || agree=$((agree + 1))
		printf '   %-33s %-6s %-6s %-8s %12s %7s %9s\n' "${caption//_/ }" "$(character "$label")" "$(character "$float")" \
			"$(character "$private")" "$bytes" "$rounds" "$seconds"
	done <"$root/examples/char_gpt/samples.txt"
fi

say "$agree of $((digits + texts)) private answers equal the float model's.  Everything is in ${work#"$root"/}:"
echo "   party.c (the program that sufc wrote), keys, logs, statistics.  Next: README.md, examples/README.md."
