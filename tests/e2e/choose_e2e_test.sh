#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --gates=auto on the command line: what is chosen is what the report says, no set is better, the gates can be saved and used
# again, all commands take the options.  sufc_two is sufc with a second set of gates; sufc itself may have one or more.
source "$(dirname "$0")/lib.sh"
json_at=$build/tests/json_at
two=$build/tests/sufc_two
example=$root/examples/digits_vit
model=$example/model.onnx
options=(--calibrate "$example/calibrate.npz" --frac-bits=12 -q) # one format: the sets that have many gates to choose from
input=(--input "pixels=$example/sample_0.npy")

at() {
	"$json_at" "$1" "$2" 2>&1 || true
}

same() {
	[[ -n $2 && $2 == "$3" ]] || bad "$1: '$2' and '$3'"
}

# The text of a program without the name of its gates, which is all that may differ.
plain() {
	sed -E '2s/ gates "[^"]*"//' "$1"
}

# What the objective $1 counts in strategy $3 of the comparison $2.
figure() {
	case $1 in
	time) at "$2" "strategies.$3.predicted_ms.lan" ;;
	comm) at "$2" "strategies.$3.comm_bytes" ;;
	key) echo $(($(at "$2" "strategies.$3.key_bytes.0") + $(at "$2" "strategies.$3.key_bytes.1"))) ;;
	rounds) at "$2" "strategies.$3.rounds" ;;
	esac
}

for objective in time comm key rounds; do
	say "== least $objective: chosen gates can be saved and give the same program again"
	out=$work/$objective
	"$two" "$model" "${options[@]}" --objective="$objective" -o "$out.ir" --save-gates "$out.gates" --report="$out.json" >"$out.log" 2>&1 ||
		{ bad "compile for $objective" "$out.log"; continue; }
	"$two" "$model" "${options[@]}" --gates="$out.gates" -o "$out.again.ir" >"$out.log" 2>&1 || bad "compile with the saved gates" "$out.log"
	cmp <(plain "$out.ir") <(plain "$out.again.ir") || bad "$objective: the saved gates give another program"
	grep -Eq '^program .* gates "(auto|sigma|suf)"' "$out.ir" || bad "$objective: the program does not say which gates it has"

	say "== least $objective: no set is better, and the report says what each takes"
	"$two" compare "$model" "${options[@]}" --objective="$objective" --gates=sigma,auto --json "$out.c.json" >"$out.txt" 2>&1 || bad "compare" "$out.txt"
	same "objective" "$objective" "$(at "$out.c.json" strategies.1.choice.objective)"
	same "a set is not chosen" null "$(at "$out.c.json" strategies.0.choice)"
	same "the report's rounds" "$(at "$out.json" strategies.0.rounds)" "$(at "$out.c.json" strategies.1.rounds)"
	awk -v a="$(figure "$objective" "$out.c.json" 1)" -v b="$(figure "$objective" "$out.c.json" 0)" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }' ||
		bad "$objective: auto takes $(figure "$objective" "$out.c.json" 1), sigma $(figure "$objective" "$out.c.json" 0)"
	groups=$(at "$out.json" strategies.0.choice.groups)
	[[ $groups -ge 8 ]] || bad "$objective: $groups groups"
	for ((k = 0; k < $(at "$out.json" strategies.0.choice.sets); k++)); do at "$out.json" "strategies.0.choice.sets.$k.set"; done >"$work/sets"
	grep -qx test "$work/sets" || bad "$objective: the set that cannot be used is not there" "$work/sets"
done

say "== the choices differ"
[[ $(for objective in time comm key rounds; do plain "$work/$objective.ir" | sha256sum; done | sort -u | wc -l) -ge 2 ]] || bad "all objectives give the same program"

say "== a rule of a gates file stands, the rest is chosen"
printf 'op rescale sigma\n' >"$work/rule.gates"
"$two" "$model" "${options[@]}" --gates="$work/rule.gates" --save-gates "$work/rule.saved" --report="$work/rule.html" >"$work/log" 2>&1 || bad "with a rule" "$work/log"
grep -q '^op rescale sigma.rescale$' "$work/rule.saved" || bad "the rule was not kept" "$work/rule.saved"
grep -q '<h2>Why these gates' "$work/rule.html" || bad "the page does not say why"
grep -q '<td class="name">softmax ' "$work/rule.html" || bad "the page does not list what was chosen"

say "== the report as text"
"$two" "$model" "${options[@]}" --report >"$work/report.txt" 2>&1 || bad "report" "$work/report.txt"
grep -Eq '^Gates were chosen for the least time .* [0-9]+ programs were tried' "$work/report.txt" || bad "no word of the choice" "$work/report.txt"
grep -Eq '^ +test.gelu_long .* \+[0-9.]+ ms$' "$work/report.txt" || bad "gelu_long is not listed as dearer" "$work/report.txt"
grep -Eq '^ +test.softmax_none +not possible: ' "$work/report.txt" || bad "softmax_none is not listed as impossible" "$work/report.txt"

say "== simulation and protocol agree on a program of several sets"
"$two" verify "$model" "${options[@]}" "${input[@]}" --objective=key --network=wan >"$work/verify.txt" 2>&1 || bad "verify" "$work/verify.txt"
grep -q "agree on" "$work/verify.txt" || bad "verify" "$work/verify.txt"
"$two" simulate "$model" "${options[@]}" "${input[@]}" --objective=rounds --output "logits=$work/y.npy" >"$work/log" 2>&1 || bad "simulate" "$work/log"

say "== sufc: auto stands beside the sets as soon as there are two"
"$build/sufc" compare "$model" "${options[@]}" --json "$work/all.json" >"$work/all.txt" 2>&1 || bad "compare" "$work/all.txt"
sets=$(at "$work/all.json" strategies)
if [[ $sets -eq 1 ]]; then
	"$build/sufc" "$model" "${options[@]}" -o "$work/auto.ir" >/dev/null 2>&1
	"$build/sufc" "$model" "${options[@]}" --gates=sigma -o "$work/sigma.ir" >/dev/null 2>&1
	cmp "$work/auto.ir" "$work/sigma.ir" || bad "one set, but another program than with --gates=sigma"
else
	same "the last column" auto "$(at "$work/all.json" "strategies.$((sets - 1)).gates")"
	for ((k = 0; k < sets - 1; k++)); do
		awk -v a="$(figure time "$work/all.json" $((sets - 1)))" -v b="$(figure time "$work/all.json" $k)" 'BEGIN { exit !(a != "" && a + 0 <= b * 1.02) }' ||
			bad "auto takes longer than $(at "$work/all.json" "strategies.$k.gates")"
	done
fi

say "== refusals"
mkdir "$work/empty"
printf '{}' >"$work/none.json"
for command in "" simulate verify compare; do
	run=("$two" ${command:+$command} "$model")
	refused "${command:-sufc}: an objective that is none" 1 "time, comm, key or rounds, found 'speed'" "${run[@]}" --objective=speed
	refused "${command:-sufc}: a network that is none" 1 "lan, wan, loopback or GBPS,RTT_MS.*found 'moon'" "${run[@]}" --network=moon
done
refused "a machine that is not there" 3 "nothing.json: error: cannot read" "$two" "$model" "${options[@]}" --machine "$work/nothing.json" -o "$work/empty/x.ir"
refused "a machine that is none" 2 "not the constants of this version" "$two" "$model" "${options[@]}" --machine "$work/none.json" -o "$work/empty/x.ir"
nothing_left "$work/empty" "refused choices"
report
