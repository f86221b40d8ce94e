#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Time a full-size transformer stack: dealer and both parties on this machine, keys streamed through pipes.
#   bench_bert.sh BUILD_DIR [options]
#     --model bert-stack|gpt2-stack|bert-full   --size tiny|base|large   --seq N      the graph (default bert-stack base 128;
#                                     bert-full: as transformers exports it, with embeddings, attention mask and pooler)
#     --gates SET                     sigma, ... (default: what sufc chooses)
#     --runs N --warmup N             timed runs, their median is printed (default 3), and runs before them (1)
#     --stored                        write the keys to disk first instead of streaming them
#     --work DIR                      where graphs, keys and statistics go (default BUILD_DIR/bench)
# Prints one table row: total ms, comm GiB (sent + received at one party), key GiB (both parties), keygen ms,
# comm ms, ms of softmax, GELU, layernorm and truncation, peak memory, error against float, and the error that `sufc simulate`
# predicts for the same input (other randomness).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: bench_bert.sh BUILD_DIR [options]}" && pwd)
shift
source "$root/tools/lib.sh"
model=bert-stack size=base seq=128 gates="" runs=3 warmup=1 stored=0 work=$build/bench
while [[ $# -gt 0 ]]; do
	case $1 in
	--model) model=$2; shift ;;
	--size) size=$2; shift ;;
	--seq) seq=$2; shift ;;
	--gates) gates=$2; shift ;;
	--runs) runs=$2; shift ;;
	--warmup) warmup=$2; shift ;;
	--stored) stored=1 ;;
	--work) work=$2; shift ;;
	*) echo "unknown option $1" >&2; exit 1 ;;
	esac
	shift
done

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
program=$at/${gates:-default}
echo "compiling" >&2
build_program "$at/model.onnx" "$program" ${gates:+--gates="$gates"} --calibrate "$at/calibrate.npz" >&2
"$build/sufc" simulate "$at/model.onnx" ${gates:+--gates="$gates"} --calibrate "$at/calibrate.npz" "${inputs[@]}" \
	--output "$output=$at/y.sim.npy" >&2
use_plain

# One inference with keys dealt at the same time (or before it): one_run NUMBER
one_run() {
	local dir=$at/run_$1 dealer=
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
		[[ -f $at/model.owner ]] || "$program" keygen --out "$at" --count 0 >"$dir/owner.log" 2>&1
		[[ -f $program.masked ]] || "$program" mask-weights --weights "$program.weights" --owner "$at/model.owner" \
			--out "$program.masked" >"$dir/mask.log" 2>&1
		cp "$program.masked" "$dir/masked.weights"
		"$program" keygen --to-fd 3,4 --owner "$at/model.owner" --stats "$dir/keygen.json" \
			3>"$key0" 4>"$key1" >"$dir/keygen.log" 2>&1 &
		dealer=$!
	fi
	run_pair "$program" "$key0" "$key1" "$dir/masked.weights" "$dir/run" "127.0.0.1:$(pick_port)" \
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
# over FILE KEY: the median over the timed runs of a number of the totals; class_over FILE CLASS KEY likewise
over() { for ((k = warmup; k < warmup + runs; k++)); do json_total "$at/run_$k/$1" "$2"; done | median; }
class_over() {
	for ((k = warmup; k < warmup + runs; k++)); do json_class "$at/run_$k/$1" "$2" "$3"; done | median
}
gib() { awk -v b="$1" 'BEGIN { printf "%.3f", b / 1073741824 }'; }
mib() { awk -v b="$1" 'BEGIN { printf "%.0f", b / 1048576 }'; }
ms() { awk -v b="$1" 'BEGIN { printf "%.1f", b }'; }

for ((k = 0; k < warmup + runs; k++)); do
	echo "run $((k + 1)) of $((warmup + runs))$([[ $k -lt $warmup ]] && echo ' (warm-up)')" >&2
	one_run "$k"
done
last=$at/run_$((warmup + runs - 1))
sent=$(over run.1.json sent_bytes)
received=$(over run.1.json received_bytes)
printf '| model | seq | gates | total ms | comm GiB | key GiB P0, P1 | keygen ms | comm ms | softmax ms | GELU ms | layernorm ms |'
printf ' truncate ms | rounds | peak MiB P0, P1 | error against float | error of the simulation |\n|%s\n' "$(printf -- '---|%.0s' {1..16})"
printf '| %s-%s | %s | %s | %s | %s | %s, %s | %s | %s | %s | %s | %s | %s | %s | %s, %s | %s | %s |\n' \
	"${model%-stack}" "$size" "$seq" "${gates:-default}" "$(ms "$(over run.1.json online_ms)")" \
	"$(awk -v s="$sent" -v r="$received" 'BEGIN { printf "%.3f", (s + r) / 1073741824 }')" \
	"$(gib "$(over run.0.json key_bytes)")" "$(gib "$(over run.1.json key_bytes)")" "$(ms "$(over keygen.json keygen_ms)")" \
	"$(ms "$(over run.1.json comm_ms)")" "$(ms "$(class_over run.1.json softmax ms)")" \
	"$(ms "$(class_over run.1.json gelu ms)")" "$(ms "$(class_over run.1.json layernorm ms)")" \
	"$(ms "$(class_over run.1.json truncate ms)")" "$(over run.1.json rounds)" \
	"$(mib "$(over run.0.json peak_rss_bytes)")" "$(mib "$(over run.1.json peak_rss_bytes)")" \
	"$("$build/npy" diff "$last/y.npy" "$at/$output.float.npy" | tail -n 1)" \
	"$("$build/npy" diff "$at/y.sim.npy" "$at/$output.float.npy" | tail -n 1)"
