#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sufc compare: the JSON says what a real run takes; table, page and gates files do what they promise; bad input is refused.
source "$(dirname "$0")/lib.sh"
use_plain
json_at=$build/tests/json_at

# The same number: same WHAT PREDICTED MEASURED
same() {
	[[ -n $2 && $2 == "$3" ]] || bad "$1: predicted '$2', measured '$3'"
}

at() {
	"$json_at" "$1" "$2" 2>&1 || true
}

# A program without the name of its gates, which is all that may differ.
unnamed() {
	sed -E '2s/ gates "[^"]*"//' "$1"
}

# compare_example NAME INPUT...: predict, run, compare
compare_example() {
	local name=$1 example=$root/examples/$1 at=$work/$1 s=strategies.0 party class key
	shift
	mkdir -p "$at/keys"
	"$build/sufc" compare "$example/model.onnx" --calibrate "$example/calibrate.npz" --gates=auto --json "$at/c.json" --html "$at/c.html" \
		--save-gates "$at/all.gates" >"$at/c.txt" 2>"$at/c.log" || { bad "compare $name" "$at/c.log"; return; }

	say "== $name: the table fits 100 columns"
	awk 'length($0) > 100' "$at/c.txt" >"$at/wide"
	[[ ! -s $at/wide ]] || bad "$name: lines of more than 100 columns" "$at/wide"
	for class in matmul truncate softmax gelu layernorm; do
		[[ $(grep -c "^  $class " "$at/c.txt") -eq 3 ]] || bad "$name: three tables have a row for $class" "$at/c.txt"
	done

	say "== $name: the page needs no network"
	if grep -Ein 'https?:|src=|href=|url\(|@import' "$at/c.html" >"$at/hits"; then
		bad "$name: the page refers to something outside" "$at/hits"
	fi
	for key in table svg details ul ol section div main; do
		[[ $(grep -o "<$key[ >]" "$at/c.html" | wc -l) -eq $(grep -o "</$key>" "$at/c.html" | wc -l) ]] || bad "$name: <$key> is not closed as often as opened"
	done
	grep -q "<pre>sufc compare .*$name/model.onnx" "$at/c.html" || bad "$name: the page does not say how it was made"

	say "== $name: a run with the gates of the file takes what was predicted"
	build_program "$example/model.onnx" "$at/party" --calibrate "$example/calibrate.npz" --gates="$at/all.gates" || { bad "compile $name" "$at/party.log"; return; }
	"$at/party" keygen --out "$at/keys" --stats "$at/keygen.json" >"$at/keygen.log" 2>&1 || { bad "keygen" "$at/keygen.log"; return; }
	mask "$at/party" "$at/keys" || return
	run_pair "$at/party" "$(key_of "$at/keys" 0)" "$(key_of "$at/keys" 1)" "$at/keys/masked.weights" "$at/run" "127.0.0.1:$(pick_port)" \
		"$@" --output "logits=$at/run.npy" || { bad "run $name" "$at/run.0.log" "$at/run.1.log"; return; }
	same "$name: blocks of the dealer" "$(at "$at/c.json" $s.prg_calls.0)" "$(at "$at/keygen.json" totals.prg_calls)"
	for party in 0 1; do
		local run=$at/run.$party.json
		same "$name: key of party $party" "$(at "$at/c.json" $s.key_bytes.$party)" "$(at "$run" totals.key_bytes)"
		same "$name: key of party $party by the dealer" "$(at "$at/c.json" $s.key_bytes.$party)" "$(at "$at/keygen.json" totals.key_bytes.$party)"
		same "$name: sent by party $party" "$(at "$at/c.json" $s.sent_bytes.$party)" "$(at "$run" totals.sent_bytes)"
		same "$name: communication" "$(at "$at/c.json" $s.comm_bytes)" "$(($(at "$run" totals.sent_bytes) + $(at "$run" totals.received_bytes)))"
		same "$name: rounds" "$(at "$at/c.json" $s.rounds)" "$(at "$run" totals.rounds)"
		same "$name: blocks of party $party" "$(at "$at/c.json" $s.prg_calls.$((party + 1)))" "$(at "$run" totals.prg_calls)"
		for class in matmul truncate softmax gelu layernorm; do
			same "$name: communication of $class" "$(at "$at/c.json" $s.classes.$class.comm_bytes)" \
				"$(($(at "$run" classes.$class.sent_bytes) + $(at "$run" classes.$class.received_bytes)))"
			same "$name: rounds of $class" "$(at "$at/c.json" $s.classes.$class.rounds)" "$(at "$run" classes.$class.rounds)"
		done
	done

	say "== $name: saved gates give the same program"
	"$build/sufc" "$example/model.onnx" --calibrate "$example/calibrate.npz" -o "$at/plain.ir" --save-gates "$at/again.gates" >/dev/null 2>&1
	"$build/sufc" "$example/model.onnx" --calibrate "$example/calibrate.npz" -o "$at/gates.ir" --gates="$at/all.gates" >/dev/null 2>&1
	cmp <(unnamed "$at/plain.ir") <(unnamed "$at/gates.ir") || bad "$name: another program"
	cmp "$at/all.gates" "$at/again.gates" || bad "$name: other gates"

	say "== $name: the report of a compilation has the same numbers"
	"$build/sufc" "$example/model.onnx" --calibrate "$example/calibrate.npz" --report="$at/r.json" >/dev/null 2>&1
	for key in rounds comm_bytes key_bytes.0 key_bytes.1 peak_bytes.0 mul_adds.1 predicted_ms.lan predicted_ms.wan; do
		same "$name: $key of --report" "$(at "$at/r.json" $s.$key)" "$(at "$at/c.json" $s.$key)"
	done
	"$build/sufc" "$example/model.onnx" --calibrate "$example/calibrate.npz" --report="$at/r.html" >/dev/null 2>&1
	diff <(sed '/<pre>/,/<\/pre>/d' "$at/r.html") <(sed '/<pre>/,/<\/pre>/d' "$at/c.html") >"$at/diff" || bad "$name: --report=FILE.html is another page" "$at/diff"
}

compare_example digits_vit --input "pixels=$root/examples/digits_vit/sample_0.npy"
compare_example char_gpt --input "input_ids=$root/examples/char_gpt/sample_0.npy"

say "== several strategies stand side by side; JSON on standard output"
model=$root/examples/digits_vit/model.onnx
options=(--calibrate "$root/examples/digits_vit/calibrate.npz" -q)
"$build/sufc" compare "$model" "${options[@]}" --gates=sigma,"$work/digits_vit/all.gates",auto --network=2.5,7 --json - >"$work/three.json" 2>"$work/three.log" ||
	bad "compare three" "$work/three.log"
same "strategies" 3 "$(at "$work/three.json" strategies)"
same "the file's rounds" "$(at "$work/three.json" strategies.2.rounds)" "$(at "$work/three.json" strategies.1.rounds)"
same "own network" "2.5 Gbit/s, 7 ms" "$(at "$work/three.json" strategies.2.times.2.network)"

if command -v python3 >/dev/null; then
	say "== bert-base without weights, in less than 10 seconds, beside the published rows"
	python3 "$root/tools/make_shapes.py" bert-base --seq 128 --out "$work/bert" >/dev/null
	start=$SECONDS
	"$build/sufc" compare "$work/bert/model.onnx" --no-weights --ring-bits=50 --json "$work/bert.json" >"$work/bert.txt" 2>&1 || bad "compare bert-base" "$work/bert.txt"
	[[ $((SECONDS - start)) -lt 10 ]] || bad "bert-base took $((SECONDS - start)) s"
	grep -q "^bert-base: 12 layers" "$work/bert.txt" || bad "bert-base was not recognised" "$work/bert.txt"
	same "published systems" 2 "$(at "$work/bert.json" published)"
	same "stack alone" true "$(at "$work/bert.json" shape.stack_only)"
fi

say "== bad input"
mkdir "$work/empty"
compare=("$build/sufc" compare)
printf 'node /model/nope sigma\n' >"$work/bad.gates"
refused "an unknown gate set" 1 "no gate set 'sigmo'.*sigma" "${compare[@]}" "$model" --gates=sigma,sigmo
refused "a gates file that is not there" 3 "nothing.gates: error: cannot read" "${compare[@]}" "$model" --gates="$work/nothing.gates"
refused "a gates file with an unknown node" 2 "bad.gates:1: error: no node with gates is called '/model/nope'" "${compare[@]}" "$model" "${options[@]}" \
	--gates="$work/bad.gates" --json "$work/empty/x.json" --html "$work/empty/x.html" --save-gates "$work/empty/x.gates"
refused "the same at the compiler" 2 "nodes with gates: /model/" "$build/sufc" "$model" "${options[@]}" --gates="$work/bad.gates" -o "$work/empty/x.c"
refused "a gates file for a program with gates" 2 "gates are chosen already" "${compare[@]}" "$work/digits_vit/plain.ir" --gates="$work/digits_vit/all.gates"
refused "an unknown network" 1 "GBPS,RTT_MS.*found 'mars'" "${compare[@]}" "$model" --network=mars
refused "a folder that is not there" 3 "cannot write there" "${compare[@]}" "$model" "${options[@]}" --html "$work/empty/no/x.html"
refused "a machine file that is none" 3 "bad.gates: expected constants of a machine" "${compare[@]}" "$model" "${options[@]}" --machine "$work/bad.gates"
refused "a pass to stop after" 1 "stop-after=bind" "${compare[@]}" "$model" --stop-after=bind
refused "gates before they are chosen" 1 "save-gates" "$build/sufc" "$model" --stop-after=ranges --save-gates "$work/empty/x.gates"
refused "no model" 1 "no MODEL.onnx" "${compare[@]}" --json -
nothing_left "$work/empty" "refused comparisons"
report
