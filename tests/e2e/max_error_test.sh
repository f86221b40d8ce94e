#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --max-error on the digits model: the error on held-out inputs is what was asked for, a laxer one sends less, and parties run
# such a program; command lines that make no sense are refused.
source "$(dirname "$0")/lib.sh"
sufc=$build/sufc
example=$root/examples/digits_vit
options=("$example/model.onnx" --calibrate "$example/calibrate.npz" --objective=comm -q)
in=(--input "pixels=$example/inputs.npy")

# sent [OPTION...]: bytes of both parties
sent() {
	"$sufc" "${options[@]}" "$@" --report="$work/r.json" 2>"$work/log" || bad "report $*" "$work/log"
	"$build/tests/json_at" "$work/r.json" strategies.0.comm_bytes
}

say "== errors on held-out inputs, traffic"
plain=$(sent --gates=compact)
last=$plain
for e in 0.005 0.01 0.05; do
	"$sufc" simulate "${options[@]}" --gates=auto --max-error=$e "${in[@]}" --output "logits=$work/y.npy" >"$work/log" 2>&1 || bad "simulate, $e" "$work/log"
	error=$("$build/npy" diff "$example/float_outputs.npy" "$work/y.npy" | sed 's/.*relative //')
	bytes=$(sent --gates=compact --max-error=$e)
	measured=$("$build/tests/json_at" "$work/r.json" strategies.0.budget.measured)
	say "at most $e: $error on held-out inputs, $measured in the report; $bytes bytes, $plain without --max-error"
	awk -v e=$e -v x="$error" -v m="$measured" 'BEGIN { exit !(x > e / 3 && x <= 1.1 * e && m > 0 && m <= e) }' || bad "asked for $e: $error held out, $measured measured"
	[[ $bytes -lt $last ]] || bad "asked for $e: $bytes bytes, $last before"
	last=$bytes
done
[[ $((last * 5)) -lt $((plain * 4)) ]] || bad "an error of 0.05 saves less than a fifth: $last of $plain bytes"
again=$(sent --gates=compact --max-error=0.05)
[[ $again -eq $last ]] || bad "$last bytes, then $again with the same options"

say "== reports"
"$sufc" "${options[@]}" --max-error=0.05 --argmax --report="$work/r.txt" || bad "text report"
grep -q '^Fraction bits were chosen for a relative error of outputs of at most 0.05 .*: measured 0.0' "$work/r.txt" || bad "no word on the error" "$work/r.txt"
grep -Eq '^attend +8 +[2-7] ' "$work/r.txt" || bad "no row of the role attend" "$work/r.txt"
"$sufc" "${options[@]}" --max-error=0.05 --report="$work/r.html" || bad "page"
grep -q 'How exact the answer is' "$work/r.html" || bad "no section in the page"
"$sufc" compare "${options[@]}" --max-error=0.05 --json="$work/c.json" >"$work/log" 2>&1 || bad "compare" "$work/log"
[[ $("$build/tests/json_at" "$work/c.json" strategies.0.budget.asked) == 0.05* ]] || bad "compare: no budget" "$work/c.json"

say "== both parties"
"$sufc" verify "${options[@]}" --max-error=0.05 "${in[@]}" --examples 3 >"$work/log" 2>&1 || bad "verify" "$work/log"
grep -q 'agree on .* openings and on the outputs, bit for bit' "$work/log" || bad "no word that all agree" "$work/log"

say "== refusals"
refused "no examples" 1 "give --calibrate=FILE.npz" "$sufc" "$example/model.onnx" --max-error=0.01 --report
refused "no number" 1 "expected a number between 0 and 1" "$sufc" "${options[@]}" --max-error=1% --report
refused "too large a number" 1 "expected a number between 0 and 1" "$sufc" "${options[@]}" --max-error=2 --report
refused "one format by its set" 1 "use --gates=compact or --gates=auto" "$sufc" "${options[@]}" --gates=sigma --max-error=0.01 --report
refused "one format in a list" 1 "the set 'suf' take values of one format" "$sufc" compare "${options[@]}" --gates=compact,suf --max-error=0.01
refused "one format by its bits" 1 "leave out --ring-bits and --frac-bits" "$sufc" "${options[@]}" --frac-bits=12 --max-error=0.01 --report
refused "an error that cannot be kept" 2 "cannot be kept at 1e-06: it is 0.000.* with the most fraction bits that are possible: .*attend 1[0-9]" \
	"$sufc" "${options[@]}" --max-error=1e-6 -o "$work/out.c"
[[ ! -e $work/out.c ]] || bad "a refused program was written"
"$sufc" "${options[@]}" --gates=compact --stop-after=rings -o "$work/ring.ir" || bad "stage RING as text"
refused "bits that are chosen" 2 "its fraction bits are chosen already" "$sufc" "$work/ring.ir" --calibrate "$example/calibrate.npz" --max-error=0.01 --report
report
