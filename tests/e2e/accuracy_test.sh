#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each example in each gate set: all held-out inputs in the simulator, at most half a point below float; ten inputs through
# dealer and both parties, every opened value equal to the simulator's under the same randomness.
source "$(dirname "$0")/lib.sh"
sufc=$build/sufc

check_set() { # SET NAME, then --input arguments
	local set=$1 name=$2 example=$root/examples/$2 float private
	shift 2
	local options=("$example/model.onnx" --gates="$set" --calibrate "$example/calibrate.npz" "$@")
	"$sufc" simulate "${options[@]}" --output "logits=$work/$name.npy" >"$work/log" 2>&1 || bad "$name, $set: simulate" "$work/log"
	float=$(sed -n 's/^| float, onnxruntime | \([0-9.]*\) %.*/\1/p' "$example/README.md")
	private=$("$build/npy" score "$work/$name.npy" "$example/labels.npy")
	say "$name, gates $set: float $float %, private $private"
	awk -v f="$float" -v p="${private%% *}" 'BEGIN { exit !(f != "" && p > f - 0.5) }' || bad "$name, $set: private $private, float $float %"
	"$sufc" verify "${options[@]}" --examples 10 >"$work/log" 2>&1 || bad "$name, $set: verify" "$work/log"
	grep -q 'agree on .* openings and on the outputs, bit for bit' "$work/log" || bad "$name, $set: no word that all agree" "$work/log"
	tail -n 2 "$work/log"
}

check_example() { # NAME, then --input arguments
	local set
	for set in $sets; do check_set "$set" "$@"; done
}

sets=$(gate_sets)
[[ " $sets " == *' sigma '* ]] || bad "no gate set sigma among: $sets"
in=$root/examples
check_example digits_vit --input "pixels=$in/digits_vit/inputs.npy"
check_example char_gpt --input "input_ids=$in/char_gpt/inputs.npy"
check_example text_classifier --input "input_ids=$in/text_classifier/input_ids.npy" --input "attention_mask=$in/text_classifier/attention_mask.npy"
report
