#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Accuracy and cost of the examples, as rows for their READMEs: all held-out inputs in the simulator, whose results
# equal those of a run bit for bit, and the exact bytes that the emitted program predicts.
#   measure_examples.sh BUILD_DIR [--update] [--gates SET] [sufc options]
# Without --gates: every complete gate set, a row each.  --update: write the rows of each README
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: measure_examples.sh BUILD_DIR [--update] [--gates SET] [sufc options]}" && pwd)
shift
source "$root/tools/lib.sh"
need_built sufc npy
update=0 sets=
[[ ${1:-} != --update ]] || { update=1; shift; }
[[ ${1:-} != --gates ]] || { sets=$2; shift 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measure NAME SET: prints a row; with --update it goes to the README, below the others if there was none for this set
measure() {
	local name=$1 set=$2 example=$root/examples/$1 comm float score same cost row
	build_program "$example/model.onnx" "$work/party" --gates="$set" "${options[@]}"
	"$build/sufc" simulate "$example/model.onnx" --gates="$set" "${options[@]}" "${inputs[@]}" --output "logits=$work/y.npy" >"$work/log"
	"$work/party" info >"$work/info"
	field() { sed -n "s/^$1 *//p" "$work/info"; }
	# Sent and received at one party is what both send.
	comm=$(field sent | awk '{ print $1 + $3 }')
	float=$(sed -n "s/^| float, onnxruntime | \([0-9.]* %\).*/\1/p" "$example/README.md")
	score=$("$build/npy" score "$work/y.npy" "$example/labels.npy")
	same=$("$build/npy" score "$work/y.npy" "$example/float_predictions.npy")
	cost="$comm | $(field key | awk '{ print $1 ", " $3 }') | $(field rounds | sed 's/,.*//')"
	echo "| $name | $set | $float | $score | $same | $cost |"
	[[ $update -eq 1 ]] || return 0
	row="| private, gates \`$set\`, weights \`masked\` | ${score% of *} | $cost |"
	awk -v mine="| private, gates \`$set\`" -v row="$row" '
		index($0, mine) == 1 { print row; done = 1; next }
		rows && !/^\|/ && !done { print row; done = 1 }
		{ rows = /^\|/; print }' "$example/README.md" >"$work/readme"
	cat "$work/readme" >"$example/README.md"
}

echo "| example | gates | accuracy, float | accuracy, private | same answer | comm bytes | key bytes P0, P1 | rounds |"
echo "|---|---|---|---|---|---|---|---|"
for name in digits_vit char_gpt text_classifier; do
	example=$root/examples/$name
	case $name in
	digits_vit) inputs=(--input "pixels=$example/inputs.npy") ;;
	char_gpt) inputs=(--input "input_ids=$example/inputs.npy") ;;
	text_classifier) inputs=(--input "input_ids=$example/input_ids.npy" --input "attention_mask=$example/attention_mask.npy") ;;
	esac
	options=(--calibrate "$example/calibrate.npz" "$@")
	for set in ${sets:-$(gate_sets)}; do measure "$name" "$set"; done
done
