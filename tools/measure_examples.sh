#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Accuracy and cost of the examples, as rows for their READMEs: all held-out inputs in the simulator, whose results
# equal those of a run bit for bit, and the exact bytes that the emitted program predicts.
#   measure_examples.sh BUILD_DIR [--update] [sufc options]      --update: write the row of each README
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: measure_examples.sh BUILD_DIR [--update] [sufc options]}" && pwd)
shift
update=0
[[ ${1:-} != --update ]] || { update=1; shift; }
source "$root/tools/lib.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "| example | accuracy, float | accuracy, private | same answer | comm bytes | key bytes P0, P1 | rounds |"
echo "|---|---|---|---|---|---|---|"
for name in digits_vit char_gpt text_classifier; do
	example=$root/examples/$name
	case $name in
	digits_vit) inputs=(--input "pixels=$example/inputs.npy") ;;
	char_gpt) inputs=(--input "input_ids=$example/inputs.npy") ;;
	text_classifier) inputs=(--input "input_ids=$example/input_ids.npy" --input "attention_mask=$example/attention_mask.npy") ;;
	esac
	options=(--calibrate "$example/calibrate.npz" "$@")
	build_program "$example/model.onnx" "$work/party" "${options[@]}"
	"$build/sufc" simulate "$example/model.onnx" "${options[@]}" "${inputs[@]}" --output "logits=$work/y.npy" >"$work/log"
	"$work/party" info >"$work/info"
	field() { sed -n "s/^$1 *//p" "$work/info"; }
	# Sent and received at one party is what both send.
	comm=$(field sent | awk '{ print $1 + $3 }')
	float=$(sed -n "s/^| float, onnxruntime | \([0-9.]* %\).*/\1/p" "$example/README.md")
	score=$("$build/npy" score "$work/y.npy" "$example/labels.npy")
	same=$("$build/npy" score "$work/y.npy" "$example/float_predictions.npy")
	cost="$comm | $(field key | awk '{ print $1 ", " $3 }') | $(field rounds | sed 's/,.*//')"
	echo "| $name | $float | $score | $same | $cost |"
	[[ $update -eq 0 ]] || sed -i "s/^\(| private, [^|]*|\).*/\1 ${score% of *} | $cost |/" "$example/README.md"
done
