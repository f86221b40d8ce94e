#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Time a full-size transformer stack: dealer and both parties on this machine, keys streamed through pipes.
#   bench_bert.sh BUILD_DIR [options]
#     --model bert-stack|gpt2-stack|bert-full   --size tiny|base|medium|large   --seq N      the graph (default bert-stack base 128;
#                                     bert-full: as transformers exports it, with embeddings, attention mask and pooler)
#     --gates SET[,SET..]             sets or gates files (default: what sufc chooses); several take turns, run by run
#     --runs N --warmup N             timed runs of each, their median is printed (default 3), and runs before them (1)
#     --weights masked|owner          the setting (default masked); owner: party 0 has the plain weights, party 1 the masked ones
#     --stored                        write the keys to disk first instead of streaming them
#     --machine FILE                  constants of this machine for the floor (default: measured now)
#     --work DIR                      where graphs, keys and statistics go (default BUILD_DIR/bench)
# Prints one table row for each set: total ms, comm GiB (sent + received at one party), key GiB (both parties), keygen ms,
# comm ms, ms of softmax, GELU, layernorm and truncation, peak memory, error against float, the error that `sufc simulate`
# predicts for the same input (other randomness), the set's floor (docs/costs.md: its counted work at this machine's rates; of a party,
# of the dealer, of all three on this machine's cores) and the total over the last of these.  Of several sets, a second table has the medians of the total over that of the
# first set; both tables have the least and the most of the runs.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: bench_bert.sh BUILD_DIR [options]}" && pwd)
shift
source "$root/tools/lib.sh"
model=bert-stack size=base seq=128 weights=masked gates="" runs=3 warmup=1 stored=0 machine="" work=$build/bench
while [[ $# -gt 0 ]]; do
	case $1 in
	--model) model=$2; shift ;;
	--size) size=$2; shift ;;
	--seq) seq=$2; shift ;;
	--gates) gates=$2; shift ;;
	--weights) weights=$2; shift ;;
	--runs) runs=$2; shift ;;
	--warmup) warmup=$2; shift ;;
	--stored) stored=1 ;;
	--machine) machine=$2; shift ;;
	--work) work=$2; shift ;;
	*) echo "unknown option $1" >&2; exit 1 ;;
	esac
	shift
done

need_built sufc predict npy
at=$work/$model-$size-$seq
mkdir -p "$at"
if [[ $model == bert-full ]]; then
	output=last_hidden_state
	inputs=()
	for name in input_ids attention_mask token_type_ids; do inputs+=(--input "$name=$at/$name.npy"); done
else
	output=y inputs=(--input "x=$at/x.npy")
fi
if [[ ! -f $at/$output.float.npy ]]; then
	echo "making $model $size, sequence $seq" >&2
	python3 "$root/tools/make_model.py" "$model" --size "$size" --seq "$seq" --out "$at" >&2
fi

if [[ -z $machine ]]; then
	machine=$work/machine.json
	echo "measuring this machine" >&2
	"$build/sufc" calibrate-machine --machine "$machine" >"$work/machine.txt"
fi

# A gates file goes by its name: label_of SET
label_of() { basename "${1:-default}" .gates; }
IFS=, read -ra sets <<<"${gates:-default}"
twice=$(for set in "${sets[@]}"; do label_of "$set"; done | sort | uniq -d)
[[ -z $twice ]] || { echo "--gates: two are called $twice" >&2; exit 1; }
for set in "${sets[@]}"; do
	program=$at/$(label_of "$set")/party
	options=(--calibrate "$at/calibrate.npz" --weights="$weights")
	[[ $set == default ]] || options+=(--gates="$set")
	rm -rf "${program%/*}" # masks and model state there may be of another program
	mkdir -p "${program%/*}"
	echo "compiling with gates $set" >&2
	build_program "$at/model.onnx" "$program" "${options[@]}" >&2
	"$build/sufc" simulate "$at/model.onnx" "${options[@]}" "${inputs[@]}" --output "$output=${program%/*}/y.sim.npy" >&2
	[[ $stored -eq 1 ]] || options+=(--streamed)
	"$build/predict" --machine "$machine" "${options[@]}" "$at/model.onnx" >"${program%/*}/predicted.txt"
done
use_plain

# One inference with keys dealt at the same time (or before it): one_run LABEL NUMBER
one_run() {
	local own=$at/$1 program=$at/$1/party dir=$at/$1/run_$2 dealer=
	rm -rf "$dir"
	mkdir -p "$dir/keys"
	if [[ $stored -eq 1 ]]; then
		"$program" keygen --out "$dir/keys" --stats "$dir/keygen.json" >"$dir/keygen.log" 2>&1
		"$program" mask-weights --weights "$program.weights" --owner "$dir/keys/model.owner" --out "$dir/masked.weights" \
			>"$dir/mask.log" 2>&1
		key0=$(key_of "$dir/keys" 0) key1=$(key_of "$dir/keys" 1)
	else
		key0=$dir/keys/0 key1=$dir/keys/1
		mkfifo "$key0" "$key1"
		[[ -f $own/model.owner ]] || "$program" keygen --out "$own" --count 0 >"$dir/owner.log" 2>&1
		[[ -f $program.masked ]] || "$program" mask-weights --weights "$program.weights" --owner "$own/model.owner" \
			--out "$program.masked" >"$dir/mask.log" 2>&1
		cp "$program.masked" "$dir/masked.weights"
		"$program" keygen --to-fd 3,4 --owner "$own/model.owner" --stats "$dir/keygen.json" \
			3>"$key0" 4>"$key1" >"$dir/keygen.log" 2>&1 &
		dealer=$!
	fi
	local plain=$dir/masked.weights owner=
	[[ $weights == masked ]] || plain=$program.weights owner=$([[ $stored -eq 1 ]] && echo "$dir/keys" || echo "$own")/model.owner
	model_owner=$owner peer_weights=$dir/masked.weights run_pair "$program" "$key0" "$key1" "$plain" "$dir/run" "127.0.0.1:$(pick_port)" \
		"${inputs[@]}" --output "$output=$dir/y.npy" || {
		tail -n 5 "$dir"/*.log >&2
		[[ -z $dealer ]] || kill "$dealer" # it may still wait for a reader of its pipes
		return 1
	}
	[[ -z $dealer ]] || wait "$dealer"
	[[ $stored -eq 0 ]] || rm -f "$dir"/keys/*.key
	rm -f "$dir/masked.weights"
}

# Median of numbers on standard input.
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
# totals LABEL FILE KEY: a number of the totals, of each timed run; over, class_over: their median, of a class likewise
totals() { for ((k = warmup; k < warmup + runs; k++)); do json_total "$at/$1/run_$k/$2" "$3"; done; }
over() { totals "$@" | median; }
class_over() {
	for ((k = warmup; k < warmup + runs; k++)); do json_class "$at/$1/run_$k/$2" "$3" "$4"; done | median
}
range() { sort -g | awk -v f="$1" '{ v[NR] = $1 } END { printf f " to " f, v[1], v[NR] }'; }
gib() { awk -v b="$1" 'BEGIN { printf "%.3f", b / 1073741824 }'; }
mib() { awk -v b="$1" 'BEGIN { printf "%.0f", b / 1048576 }'; }
ms() { awk -v b="$1" 'BEGIN { printf "%.1f", b }'; }

# The floor of a set: floor LABEL; prints ms of a party, of the dealer, of the machine, and what the total is of the last
floor() {
	awk -v total="$(over "$1" run.1.json online_ms)" '{ v[$1] = $2 } END {
		printf "%.1f, %.1f, %.1f | %.2f", v["floor_ms"], v["floor_keygen_ms"], v["floor_machine_ms"], total / v["floor_machine_ms"] }' "$at/$1/predicted.txt"
}

# print_row LABEL
print_row() {
	local own=$at/$1 sent received klass
	sent=$(over "$1" run.1.json sent_bytes)
	received=$(over "$1" run.1.json received_bytes)
	printf '| %s-%s | %s | %s ' "${model%-stack}" "$size" "$seq" "$1"
	printf '| %s | %s ' "$(ms "$(over "$1" run.1.json online_ms)")" "$(totals "$1" run.1.json online_ms | range %.1f)"
	printf '| %s ' "$(awk -v s="$sent" -v r="$received" 'BEGIN { printf "%.3f", (s + r) / 1073741824 }')"
	printf '| %s, %s ' "$(gib "$(over "$1" run.0.json key_bytes)")" "$(gib "$(over "$1" run.1.json key_bytes)")"
	printf '| %s | %s ' "$(ms "$(over "$1" keygen.json keygen_ms)")" "$(ms "$(over "$1" run.1.json comm_ms)")"
	for klass in softmax gelu layernorm truncate; do printf '| %s ' "$(ms "$(class_over "$1" run.1.json $klass ms)")"; done
	printf '| %s ' "$(over "$1" run.1.json rounds)"
	printf '| %s, %s ' "$(mib "$(over "$1" run.0.json peak_rss_bytes)")" "$(mib "$(over "$1" run.1.json peak_rss_bytes)")"
	printf '| %s ' "$("$build/npy" diff "$own/run_$((warmup + runs - 1))/y.npy" "$at/$output.float.npy" | tail -n 1)"
	printf '| %s ' "$("$build/npy" diff "$own/y.sim.npy" "$at/$output.float.npy" | tail -n 1)"
	printf '| %s |\n' "$(floor "$1")"
}

# print_ratio LABEL OTHER: medians, and each run over the other's run of the same turn
print_ratio() {
	local mine other
	mine=$(over "$1" run.1.json online_ms) other=$(over "$2" run.1.json online_ms)
	printf '| %s / %s | %s | %s |\n' "$1" "$2" "$(awk -v a="$mine" -v b="$other" 'BEGIN { printf "%.3f", a / b }')" \
		"$(paste <(totals "$1" run.1.json online_ms) <(totals "$2" run.1.json online_ms) | awk '{ print $1 / $2 }' | range %.3f)"
}

for ((k = 0; k < warmup + runs; k++)); do
	for set in "${sets[@]}"; do
		echo "run $((k + 1)) of $((warmup + runs)), gates $set$([[ $k -lt $warmup ]] && echo ' (warm-up)')" >&2
		one_run "$(label_of "$set")" "$k"
	done
done
printf '| model | seq | gates | total ms | least to most | comm GiB | key GiB P0, P1 | keygen ms | comm ms | softmax ms | GELU ms | layernorm ms |'
printf ' truncate ms | rounds | peak MiB P0, P1 | error against float | error of the simulation | floor ms of a party, the dealer, the machine | total / floor |\n|%s\n' "$(printf -- '---|%.0s' {1..19})"
for set in "${sets[@]}"; do print_row "$(label_of "$set")"; done
[[ ${#sets[@]} -gt 1 ]] || exit 0
printf '\n| total ms | ratio of the medians | least to most, turn by turn |\n|---|---|---|\n'
for set in "${sets[@]:1}"; do print_ratio "$(label_of "$set")" "$(label_of "${sets[0]}")"; done
