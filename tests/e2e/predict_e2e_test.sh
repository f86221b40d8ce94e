#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Predicted online time against measured time, within a generous factor: an example over loopback and over a link with the
# bandwidth and delay of a WAN.  Loopback is short, and other work on the machine only ever adds to it: there the fastest run counts.
source "$(dirname "$0")/lib.sh"
model=char_gpt

# A machine that has more to do than it has cores stretches a run at will, and sanitizers slow down some work more than other.
slack=2
busy=$(awk -v cores="$(nproc)" '{ print ($1 > 1.5 * cores) }' /proc/loadavg)
[[ $busy -eq 0 ]] || slack=10
if grep -qs '^SUFC_SANITIZE:STRING=.' "$build/CMakeCache.txt"; then
	slack=10
fi

say "== measure this machine"
"$build/sufc" calibrate-machine --machine "$work/machine.json" >"$work/machine.txt" || bad "calibrate-machine"
"$build/sufc" calibrate-machine --machine "$work/machine.json" --show >"$work/shown.txt" || bad "calibrate-machine --show"
grep -q 'a round over loopback' "$work/shown.txt" || bad "the table lacks the rounds" "$work/shown.txt"

# One attempt: compare NETWORK FACTOR options
compare() {
	local network=$1 factor=$2
	shift 2
	"$root/tools/bench_predict.sh" "$build" --models "$model" --networks "$network" --machine "$work/machine.json" --slack "$factor" \
		--work "$work/bench" "$@" >"$work/$network.txt" 2>"$work/$network.log"
}

# The prediction holds in one of three attempts, since other tests come and go: check NETWORK FACTOR options
check() {
	local network=$1
	say "== $model over $network, factor $2"
	compare "$@" || compare "$@" || compare "$@" ||
		bad "$network: prediction and measurement differ by more than a factor of $2" "$work/$network.txt" "$work/$network.log"
	sed 's/^/    /' "$work/$network.txt"
	grep -q "^| $model | $network |" "$work/$network.txt" || bad "$network: no row" "$work/$network.log"
	cp "$work/bench/$model/y.npy" "$work/$network.npy" || bad "$network: no output"
}
check loopback "$slack" --runs 9 --fastest
check wan 2 --runs 1 --warmup 0
"$build/npy" close "$work/loopback.npy" "$work/wan.npy" 0.2 || bad "the slow link changed the result" # openings round by random bits

say "== refusals"
refused "a network that is none" 1 'expected loopback, lan, wan' "$build/predict" --network 5 "$root/examples/$model/model.onnx"
refused "a file of constants that is not there" 3 'cannot read the file' "$build/sufc" calibrate-machine --show --machine "$work/none.json"
refused "an address that is none" 1 'expected addresses' "$build/link_relay" --listen here --connect there
report
