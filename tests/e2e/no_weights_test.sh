#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Costs of a model whose weights are not there are those of the model with them; nothing else comes out of it.
source "$(dirname "$0")/lib.sh"
sufc=$build/sufc

# Classes, generator calls, memory: costs FILE.  Names of models and ranges are not costs.
costs() { sed -n '/^ring/,/^shape/p' "$1" | grep -v '^shape'; }

say "== the same costs"
"$sufc" "$data/tiny.onnx" --ring-bits=50 --report="$work/with.txt" -q >"$work/log" 2>&1 || bad "a report" "$work/log"
"$sufc" "$data/external_missing.onnx" --no-weights --ring-bits=50 --report="$work/without.txt" >"$work/log" 2>&1 ||
	bad "a report without weights" "$work/log"
[[ -s $work/log ]] && bad "a report without weights warns of ranges" "$work/log"
[[ $(costs "$work/with.txt" | wc -l) -gt 10 ]] || bad "the report has no costs" "$work/with.txt"
diff <(costs "$work/with.txt") <(costs "$work/without.txt") >"$work/diff" || bad "other costs without weights" "$work/diff"

say "== refusals"
mkdir "$work/out"
for out in party party.c party.ir; do
	refused "a program without weights: $out" 1 "no-weights.*costs" "$sufc" "$data/external_missing.onnx" --no-weights --ring-bits=50 -o "$work/out/$out"
done
nothing_left "$work/out" "a program without weights"
refused "no ring width" 1 "ring-bits" "$sufc" "$data/external_missing.onnx" --no-weights --report
refused "calibration" 1 "calibrate" "$sufc" "$data/external_missing.onnx" --no-weights --ring-bits=50 --calibrate x.npz --report
refused "simulation" 1 "no-weights.*costs" "$sufc" simulate "$data/external_missing.onnx" --no-weights --ring-bits=50
refused "verification" 1 "no-weights.*costs" "$sufc" verify "$data/external_missing.onnx" --no-weights --ring-bits=50
refused "a data file elsewhere that is there" 2 "w1" "$sufc" "$data/external_escape.onnx" --no-weights --ring-bits=50 --report
refused "a data file that is too short" 2 "w1" "$sufc" "$data/external_range.onnx" --no-weights --ring-bits=50 --report
report
