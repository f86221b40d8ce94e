#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --weights=public, in each gate set: dealer and two processes that all have the plain weights; outputs and bytes equal the
# prediction, no message is longer than with masked weights, and nothing goes on with other weights.
source "$(dirname "$0")/lib.sh"
use_plain
example=$root/examples/digits_vit
options=("$example/model.onnx" --calibrate "$example/calibrate.npz" --weights=public)
sample=(--input "pixels=$example/sample_0.npy")
read -r _ _ float _ < <(sed -n 2p "$example/samples.txt")

# changed FILE OUT: the same weights but for the last byte
changed() {
	local last
	last=$(tail -c 1 "$1" | od -An -tu1 | tr -d ' ')
	head -c -1 "$1" >"$2"
	printf "\\x$(printf %02x $((last ^ 1)))" >>"$2"
}

check_run() { # SET
	local at=$work/$1 key party want have
	run_pair "$at/party" "$(key_of "$at/keys" 0)" "$(key_of "$at/keys" 1)" "$at/party.weights" "$at/run" "127.0.0.1:$(pick_port)" \
		"${sample[@]}" --output "logits=$at/run.npy" || { bad "run $1: exit status $status0, $status1" "$at/run.0.log" "$at/run.1.log"; return; }
	have=$("$build/npy" argmax "$at/run.npy")
	[[ ${have##* } == "$float" ]] || bad "$1: private answer ${have##* }, float answer $float"
	for party in 0 1; do
		for key in sent key; do
			want=$(predicted "$at/party" $key $party)
			have=$(json_total "$at/run.$party.json" ${key}_bytes)
			[[ -n $want && $want == "$have" ]] || bad "$1: party $party: $key bytes measured '$have', predicted '$want'"
		done
		grep -q '"weights":"public"' "$at/run.$party.json" || bad "$1: party $party's statistics do not say public"
		have=$(json_total "$at/run.$party.json" setup_sent_bytes)
		((have < 1000)) || bad "$1: party $party sent $have bytes before the run: no weights have to be sent"
	done
}

check_refusals() { # SET
	local at=$work/$1 role
	changed "$at/party.weights" "$at/other.weights"
	for role in 0 1; do
		local me=("$at/party" run --role $role --key "$(key_of "$at/keys" $role)" --plain --connect "127.0.0.1:$(pick_port)")
		[[ $role == 0 ]] || me+=("${sample[@]}" --output "logits=$at/no.npy")
		refused "$1: other weights at party $role" 5 "other weights than the key was dealt for" "${me[@]}" --weights "$at/other.weights"
		refused "$1: no weights at party $role" 1 "dealer and both parties need them" "${me[@]}"
		refused "$1: an owner's file at party $role" 1 "no owner's file" "${me[@]}" --weights "$at/party.weights" --owner model.owner
	done
	mkdir "$at/none"
	refused "$1: no weights at the dealer" 1 "dealer and both parties need them" "$at/party" keygen --out "$at/none"
	refused "$1: a mask's state at the dealer" 1 "no state, owner or epoch" "$at/party" keygen --out "$at/none" --weights "$at/party.weights" --state x
	refused "$1: masking" 1 "nothing to mask" "$at/party" mask-weights --weights "$at/party.weights" --owner x --out "$at/none/x"
	nothing_left "$at/none" "a refused dealer"
}

# The same integers come out, whoever knows the weights.
same_as_masked() { # SET
	local at=$work/$1 setting
	for setting in public masked; do
		"$build/sufc" simulate "${options[@]}" --weights=$setting --gates="$1" "${sample[@]}" --output "logits=$at/$setting.npy" >"$at/log" 2>&1 ||
			bad "$1: simulate" "$at/log"
	done
	cmp "$at/public.npy" "$at/masked.npy" || bad "$1: another result than with masked weights"
	cmp "$at/public.npy" "$at/run.npy" || bad "$1: another result than that of the parties"
}

for set in $(gate_sets); do
	say "== $set"
	at=$work/$set
	mkdir -p "$at/keys"
	build_program "${options[0]}" "$at/party" "${options[@]:1}" --gates="$set" || { bad "compile with $set" "$at/party.log"; continue; }
	"$at/party" info | grep -q '^weights  public' || bad "$set: info does not say public"
	"$at/party" keygen --out "$at/keys" --weights "$at/party.weights" >"$at/log" 2>&1 || { bad "$set: keygen" "$at/log"; continue; }
	check_refusals "$set"
	check_run "$set"
	"$build/sufc" verify "${options[@]}" --gates="$set" --input "pixels=$example/inputs.npy" --examples 3 >"$at/log" 2>&1 || bad "$set: verify" "$at/log"
	grep -q 'agree on .* openings and on the outputs, bit for bit' "$at/log" || bad "$set: no word that all agree" "$at/log"

	[[ $set == compact ]] || same_as_masked "$set" # its roundings depend on the masks

	say "== $set: the program as text is the same program"
	"$build/sufc" "${options[@]}" --gates="$set" -o "$at/party.ir" >"$at/log" 2>&1 && "$build/sufc" "$at/party.ir" -o "$at/again.c" >>"$at/log" 2>&1 ||
		bad "$set: text" "$at/log"
	diff <(grep -A 3 '\.hash' "$at/party.c") <(grep -A 3 '\.hash' "$at/again.c") >"$at/log" || bad "$set: another hash" "$at/log"
	cmp "$at/party.weights" "$at/again.weights" || bad "$set: other weights"

	say "== $set: masked weights take more"
	"$build/sufc" "${options[@]}" --gates="$set" --weights=masked -o "$at/masked.c" >"$at/log" 2>&1 || bad "$set: masked" "$at/log"
	"$build/sufc" compare "${options[@]}" --gates="$set" --json "$at/public.json" >"$at/log" 2>&1 || bad "$set: compare" "$at/log"
	grep -q 'weights public' "$at/log" || bad "$set: compare does not say public" "$at/log"
	"$build/sufc" compare "${options[@]}" --gates="$set" --weights=masked --json "$at/masked.json" >"$at/log" 2>&1 || bad "$set: compare masked" "$at/log"
	less=$("$build/tests/json_at" "$at/public.json" strategies.0.comm_bytes) more=$("$build/tests/json_at" "$at/masked.json" strategies.0.comm_bytes)
	[[ -n $less && -n $more && $less -lt $more ]] || bad "$set: '$less' bytes with public weights, '$more' with masked ones"
	! diff <(grep -A 3 '\.hash' "$at/party.c") <(grep -A 3 '\.hash' "$at/masked.c") >/dev/null || bad "$set: the hash does not tell public weights from masked ones"
done

say "== options"
refused "--weights=secret" 1 "expected masked, owner or public" "$build/sufc" "${options[0]}" -o "$work/x.c" --weights=secret
report
