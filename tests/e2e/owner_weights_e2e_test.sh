#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --weights=owner, in each gate set: party 0 has the plain weights, party 1 masked ones; outputs and bytes, those before the run goes
# online too, equal the prediction, and are fewer online than with masked weights.
source "$(dirname "$0")/lib.sh"
use_plain
example=$root/examples/digits_vit
options=("$example/model.onnx" --calibrate "$example/calibrate.npz" --weights=owner)
sample=(--input "pixels=$example/sample_0.npy")
read -r _ _ float _ < <(sed -n 2p "$example/samples.txt")

# equal WHAT MEASURED PREDICTED
equal() { [[ -n $3 && $2 == "$3" ]] || bad "$1: measured '$2', predicted '$3'"; }

check_numbers() { # SET RUN
	local at=$work/$1 party key before
	before=$("$at/party" info | sed -n 's/^offline *\([0-9]*\) bytes from party 1.*/\1/p')
	((before > 0)) || bad "$1: nothing goes before the run is online"
	equal "$1: offline bytes of party 1" "$(json_total "$2.1.json" offline_sent_bytes)" "$before"
	equal "$1: offline bytes at party 0" "$(json_total "$2.0.json" offline_received_bytes)" "$before"
	equal "$1: offline bytes of party 0" "$(json_total "$2.0.json" offline_sent_bytes)" 0
	for party in 0 1; do
		for key in sent key; do
			equal "$1: party $party: $key bytes" "$(json_total "$2.$party.json" ${key}_bytes)" "$(predicted "$at/party" $key $party)"
		done
		equal "$1: party $party received" "$(json_total "$2.$party.json" received_bytes)" "$(predicted "$at/party" sent $((1 - party)))"
		grep -q '"weights":"owner"' "$2.$party.json" || bad "$1: party $party's statistics do not say owner"
	done
}

# check_run SET NUMBER PEER_WEIGHTS: one run with the key of this number
check_run() {
	local at=$work/$1 run=$work/$1/run.$2 have key0
	key0=$(printf '%s\n' "$at"/keys/*.p0.key | sed -n "${2}p")
	model_owner=$at/keys/model.owner peer_weights=$3 run_pair "$at/party" "$key0" "${key0%.p0.key}.p1.key" "$at/party.weights" "$run" \
		"127.0.0.1:$(pick_port)" "${sample[@]}" --output "logits=$run.npy" || { bad "run $1: exit status $status0, $status1" "$run.0.log" "$run.1.log"; return; }
	have=$("$build/npy" argmax "$run.npy")
	[[ ${have##* } == "$float" ]] || bad "$1: private answer ${have##* }, float answer $float"
	check_numbers "$1" "$run"
	have=$(json_total "$run.0.json" setup_sent_bytes)
	if [[ $3 == none ]]; then
		((have > 10000)) || bad "$1: party 0 sent $have bytes before the run: where are the masked weights?"
	else
		((have < 1000)) || bad "$1: party 0 sent $have bytes before the run, though party 1 has the masked weights"
	fi
}

check_refusals() { # SET
	local at=$work/$1 key0 key1
	key0=$(printf '%s\n' "$at"/keys/*.p0.key | sed -n 1p) key1=${key0%.p0.key}.p1.key
	local zero=("$at/party" run --role 0 --key "$key0" --plain --listen "127.0.0.1:$(pick_port)")
	refused "$1: masked weights at party 0" 1 "party 0 owns the weights" "${zero[@]}" --weights "$at/keys/masked.weights" --owner "$at/keys/model.owner"
	refused "$1: no owner's file at party 0" 1 "add the owner's file" "${zero[@]}" --weights "$at/party.weights"
	refused "$1: no weights at party 0" 1 "party 0 needs the weights" "${zero[@]}"
	refused "$1: plain weights at party 1" 1 "party 1 must not see them" "$at/party" run --role 1 --key "$key1" --plain --connect "127.0.0.1:$(pick_port)" \
		--weights "$at/party.weights" "${sample[@]}" --output "logits=$at/no.npy"
	mkdir "$at/else" # a copy of the owner's file, where nothing says which weights it masks
	cp "$at/keys/model.owner" "$at/else"
	cp "$at/party.weights" "$at/other.weights"
	printf '\001' | dd of="$at/other.weights" bs=1 seek=$(($(stat -c %s "$at/other.weights") - 1)) conv=notrunc status=none
	"$at/party" mask-weights --weights "$at/other.weights" --owner "$at/else/model.owner" --out "$at/else/masked.weights" >"$work/log" 2>&1 || bad "$1: mask others" "$work/log"
	model_owner=$at/keys/model.owner peer_weights=$at/else/masked.weights run_pair "$at/party" "$key0" "$key1" "$at/party.weights" "$at/differ" \
		"127.0.0.1:$(pick_port)" "${sample[@]}" --output "logits=$at/no.npy" && bad "$1: other weights at party 1 run"
	[[ $status0 == 5 && $status1 == 5 ]] || bad "$1: other weights: exit status $status0, $status1" "$at/differ.0.log" "$at/differ.1.log"
	clear_message "$at/differ.1.log" "the weights that were masked" "$1: other weights"
	refused "$1: weights at the dealer" 1 "must not see them" "$at/party" keygen --out "$at/none" --weights "$at/party.weights"
}

for set in $(gate_sets); do
	say "== $set"
	at=$work/$set
	mkdir -p "$at/keys"
	build_program "${options[0]}" "$at/party" "${options[@]:1}" --gates="$set" || { bad "compile with $set" "$at/party.log"; continue; }
	grep -q 'from party 1 to party 0, whatever the input is' "$at/party.log" || bad "$set: sufc does not say what goes before" "$at/party.log"
	"$at/party" info | grep -q '^weights  owner' || bad "$set: info does not say owner"
	deal "$at/party" "$at/keys" 2 && mask "$at/party" "$at/keys" || continue
	check_refusals "$set"
	check_run "$set" 1 "$at/keys/masked.weights"
	check_run "$set" 2 none
	"$build/sufc" verify "${options[@]}" --gates="$set" --input "pixels=$example/inputs.npy" --examples 3 >"$at/log" 2>&1 || bad "$set: verify" "$at/log"
	grep -q 'agree on .* openings and on the outputs, bit for bit' "$at/log" || bad "$set: no word that all agree" "$at/log"

	say "== $set: the program as text is the same program"
	"$build/sufc" "${options[@]}" --gates="$set" -o "$at/party.ir" >"$at/log" 2>&1 && "$build/sufc" "$at/party.ir" -o "$at/again.c" >>"$at/log" 2>&1 ||
		bad "$set: text" "$at/log"
	[[ $(stat -c %a "$at/party.ir.data") == 600 ]] || bad "$set: others may read the weights beside the text"
	refused "$set: another setting for the text" 2 "give the model" "$build/sufc" "$at/party.ir" -o "$at/no.c" --weights=masked
	refused "$set: bits for the text" 2 "chosen already" "$build/sufc" "$at/party.ir" -o "$at/no.c" --frac-bits=9
	diff <(grep -A 3 '\.hash' "$at/party.c") <(grep -A 3 '\.hash' "$at/again.c") >"$at/log" || bad "$set: another hash" "$at/log"

	say "== $set: masked weights take more"
	"$build/sufc" compare "${options[@]}" --gates="$set" --json "$at/owner.json" >"$at/log" 2>&1 || bad "$set: compare" "$at/log"
	grep -q 'weights owner' "$at/log" || bad "$set: compare does not say owner" "$at/log"
	"$build/sufc" compare "${options[@]}" --gates="$set" --weights=masked --json "$at/masked.json" >"$at/log" 2>&1 || bad "$set: compare masked" "$at/log"
	less=$("$build/tests/json_at" "$at/owner.json" strategies.0.comm_bytes) more=$("$build/tests/json_at" "$at/masked.json" strategies.0.comm_bytes)
	[[ -n $less && -n $more && $less -lt $more ]] || bad "$set: '$less' bytes with weights of party 0, '$more' with masked ones"
	equal "$set: offline bytes in compare's JSON" "$("$build/tests/json_at" "$at/owner.json" strategies.0.offline_comm_bytes)" \
		"$("$at/party" info | sed -n 's/^offline *\([0-9]*\) bytes.*/\1/p')"
done
report
