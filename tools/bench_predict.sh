#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Predicted against measured online time: the examples, and a full-size stack if asked for, over loopback and over links
# with the bandwidth and delay of a LAN and a WAN (link_relay).  Keys are dealt before the runs, or at the same time.
#   bench_predict.sh BUILD_DIR [options]
#     --runs N --warmup N             timed runs, their median counts (default 5), and runs before them (1)
#     --networks "loopback lan wan"   which links; lan: 10 Gbit/s, 0.5 ms; wan: 400 Mbit/s, 40 ms; or GBPS,RTT_MS
#     --models "NAME ..."             which examples (default: all three)
#     --bert SIZE,SEQ                 also a BERT stack, e.g. base,128
#     --tls                           the parties talk TLS
#     --streamed                      the dealer works during the run
#     --machine FILE                  constants of this machine (default: measured now)
#     --fastest                       the fastest run counts, not the median: for machines that do other work meanwhile
#     --slack F                       end with an error if a prediction is off by more than this factor
#     --work DIR                      where programs, keys and statistics go (default BUILD_DIR/bench-predict)
# Prints a table; error: predicted / measured - 1.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: bench_predict.sh BUILD_DIR [options]}" && pwd)
shift
source "$root/tools/lib.sh"
need_built sufc predict npy link_relay
runs=5 warmup=1 networks="loopback lan wan" models="digits_vit char_gpt text_classifier" bert="" machine="" slack="" work=$build/bench-predict
tls=0 streamed=0 fastest=0
while [[ $# -gt 0 ]]; do
	case $1 in
	--runs) runs=$2; shift ;;
	--warmup) warmup=$2; shift ;;
	--networks) networks=$2; shift ;;
	--models) models=$2; shift ;;
	--bert) bert=$2; shift ;;
	--machine) machine=$2; shift ;;
	--slack) slack=$2; shift ;;
	--work) work=$2; shift ;;
	--tls) tls=1 ;;
	--streamed) streamed=1 ;;
	--fastest) fastest=1 ;;
	*) echo "unknown option $1" >&2; exit 1 ;;
	esac
	shift
done
mkdir -p "$work"
off=0
finish() {
	local jobs
	jobs=$(jobs -p)
	[[ -z $jobs ]] || kill $jobs 2>/dev/null || true
}
trap finish EXIT

use_plain
if [[ $tls -eq 1 ]]; then
	[[ -d $work/certs ]] || "$root/tools/make_certs.sh" "$work/certs" >&2
	use_tls "$work/certs"
fi
if [[ -z $machine ]]; then
	machine=$work/machine.json
	echo "measuring this machine" >&2
	"$build/sufc" calibrate-machine --machine "$machine" >"$work/machine.txt"
fi

# Bandwidth and round trip of a network: shape NETWORK
shape() {
	case $1 in
	lan) echo "10 0.5" ;;
	wan) echo "0.4 40" ;;
	*) echo "${1%,*} ${1#*,}" ;;
	esac
}

# Inputs of party 1: inputs_of MODEL
inputs_of() {
	local at=$root/examples/$1
	case $1 in
	digits_vit) echo "--input pixels=$at/sample_0.npy --output logits=$work/$1/y.npy" ;;
	char_gpt) echo "--input input_ids=$at/sample_0.npy --output logits=$work/$1/y.npy" ;;
	text_classifier)
		echo "--input input_ids=$at/sample_0.input_ids.npy --input attention_mask=$at/sample_0.attention_mask.npy" \
			"--output logits=$work/$1/y.npy"
		;;
	bert-*) echo "--input x=$work/$1/x.npy --output y=$work/$1/y.npy" ;;
	esac
}

# The graph and the calibration file of a model: model_of MODEL
model_of() {
	case $1 in
	bert-*) echo "$work/$1/model.onnx $work/$1/calibrate.npz" ;;
	*) echo "$root/examples/$1/model.onnx $root/examples/$1/calibrate.npz" ;;
	esac
}

# One inference: one_run MODEL NETWORK KEY0 KEY1; RUN.0.json and RUN.1.json in the model's folder get the statistics.
one_run() {
	local at=$work/$1 front back relay="" pid bandwidth delay inputs status=0
	back=$(pick_port) front=$back
	read -ra inputs < <(inputs_of "$1")
	if [[ $2 != loopback ]]; then
		front=$(pick_port)
		read -r bandwidth delay < <(shape "$2")
		"$build/link_relay" --listen "127.0.0.1:$front" --connect "127.0.0.1:$back" --gbps "$bandwidth" --rtt-ms "$delay" &
		relay=$!
	fi
	"$at/party" run --role 0 --key "$3" --weights "$at/masked.weights" --listen "127.0.0.1:$back" "${link_options_0[@]}" \
		--stats "$at/run.0.json" >"$at/run.0.log" 2>&1 </dev/null &
	pid=$!
	"$at/party" run --role 1 --key "$4" --weights "$at/masked.weights" --connect "127.0.0.1:$front" "${link_options_1[@]}" \
		--stats "$at/run.1.json" "${inputs[@]}" >"$at/run.1.log" 2>&1 </dev/null || status=1
	[[ $status -eq 0 ]] || kill "$pid" 2>/dev/null || true
	wait "$pid" || status=1
	[[ -z $relay || $status -eq 0 ]] || kill "$relay" 2>/dev/null || true # it may wait for a party that never comes
	[[ -z $relay ]] || wait "$relay" || status=1
	[[ $status -eq 0 ]] || { tail -n 3 "$at"/run.?.log >&2; return 1; }
}

# A key, used and gone: run_once MODEL NETWORK; prints the online ms of the slower party and the dealer's ms.
run_once() {
	local at=$work/$1 dealer="" key0 key1
	rm -rf "$at/keys"
	mkdir -p "$at/keys"
	if [[ $streamed -eq 1 ]]; then
		key0=$at/keys/0 key1=$at/keys/1
		mkfifo "$key0" "$key1"
		"$at/party" keygen --to-fd 3,4 --owner "$at/model.owner" --stats "$at/keygen.json" 3>"$key0" 4>"$key1" >"$at/keygen.log" 2>&1 &
		dealer=$!
	else
		"$at/party" keygen --out "$at/keys" --state "$at/model.state" --stats "$at/keygen.json" >"$at/keygen.log" 2>&1
		key0=$(key_of "$at/keys" 0) key1=$(key_of "$at/keys" 1)
	fi
	if ! one_run "$1" "$2" "$key0" "$key1"; then
		[[ -z $dealer ]] || kill "$dealer" 2>/dev/null || true # it may wait for somebody who reads
		return 1
	fi
	[[ -z $dealer ]] || wait "$dealer"
	rm -rf "$at/keys"
	echo "$(json_total "$at/run.0.json" online_ms) $(json_total "$at/run.1.json" online_ms) $(json_total "$at/keygen.json" keygen_ms)" |
		awk '{ print ($1 > $2 ? $1 : $2), $3 }'
}

# Median, least and largest of numbers on standard input.
spread() { sort -g | awk '{ v[NR] = $1 } END { printf "%.2f %.2f %.2f\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'; }

# Compile, and mask the weights once: prepare MODEL
prepare() {
	local at=$work/$1 graph examples
	mkdir -p "$at"
	if [[ $1 == bert-* && ! -f $at/model.onnx ]]; then
		python3 "$root/tools/make_model.py" bert-stack --size "${bert%,*}" --seq "${bert#*,}" --out "$at" >&2
	fi
	read -r graph examples < <(model_of "$1")
	build_program "$graph" "$at/party" --calibrate "$examples"
	rm -f "$at"/model.state "$at"/model.owner
	"$at/party" keygen --out "$at" --count 0 --state "$at/model.state" >"$at/owner.log" 2>&1
	"$at/party" mask-weights --weights "$at/party.weights" --owner "$at/model.owner" --out "$at/masked.weights" >"$at/mask.log" 2>&1
}

# predicted MODEL NETWORK: lines "name value"
predicted() {
	local graph examples options=(--machine "$machine" --network "$2" --one-machine)
	[[ $tls -eq 0 ]] || options+=(--tls)
	[[ $streamed -eq 0 ]] || options+=(--streamed)
	read -r graph examples < <(model_of "$1")
	"$build/predict" "${options[@]}" "$graph" --calibrate "$examples"
}

# One row of the table: row MODEL NETWORK
row() {
	local k guess median least most keygen dealt
	predicted "$1" "$2" >"$work/$1/predicted.txt"
	guess=$(awk '$1 == "online_ms" { print $2 }' "$work/$1/predicted.txt")
	keygen=$(awk '$1 == "keygen_ms" { print $2 }' "$work/$1/predicted.txt")
	for ((k = 0; k < warmup + runs; k++)); do
		run_once "$1" "$2"
	done | tail -n +"$((warmup + 1))" >"$work/$1/times.txt"
	[[ $(wc -l <"$work/$1/times.txt") -eq $runs ]] || { echo "a run of $1 over $2 failed" >&2; exit 1; }
	read -r median least most < <(cut -d ' ' -f 1 "$work/$1/times.txt" | spread)
	[[ $fastest -eq 0 ]] || median=$least
	read -r dealt _ < <(cut -d ' ' -f 2 "$work/$1/times.txt" | spread)
	awk -v n="$1" -v w="$2" -v g="$guess" -v m="$median" -v a="$least" -v b="$most" -v k="$keygen" -v d="$dealt" 'BEGIN {
		printf "| %s | %s | %.1f | %.1f | %.1f to %.1f | %+.0f %% | %.0f | %.0f |\n", n, w, g, m, a, b, 100 * (g / m - 1), k, d }'
	if [[ -n $slack ]] && awk -v g="$guess" -v m="$median" -v f="$slack" 'BEGIN { exit !(g > f * m || m > f * g) }'; then
		off=$((off + 1))
	fi
}

[[ -z $bert ]] || models+=" bert-${bert/,/-}"
echo "| model | network | predicted ms | measured ms | spread | error | keygen predicted ms | keygen measured ms |"
echo "|---|---|---|---|---|---|---|---|"
for model in $models; do
	prepare "$model"
	for network in $networks; do
		row "$model" "$network"
	done
done
[[ $off -eq 0 ]] || { echo "$off predictions are off by more than a factor of $slack" >&2; exit 1; }
