#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sufc fit on the command line: the run that docs/suf.md shows, files that are written and read again, refusals.
source "$(dirname "$0")/lib.sh"
sufc=$build/sufc
cd "$work"

say "== the documented run"
command=$(grep -m 1 '^\$ sufc fit ' "$root/docs/suf.md" | cut -c 3-)
sed -n '/^\$ sufc fit /,/^```$/p' "$root/docs/suf.md" | sed '1d;$d' >want
eval "${command/#sufc/$sufc}" >got
diff -u want got || bad "sufc fit does not print what docs/suf.md shows"
grep -qx 'op Mish' mish.suf && grep -qx 'name mish' mish.suf && grep -q '^cells 512 of 2^-5 from -8 split 0$' mish.suf || bad "the descriptor that was written" mish.suf

say "== a built-in name, other fraction bits, other forms"
"$sufc" fit gelu --form table -o gelu.suf >out
grep -q 'table, 1024 cells of 2^-7 on \[-4, 4)' out || bad "gelu is the built-in table" out
"$sufc" fit 'x*(1+erf(x/sqrt(2)))/2' --domain -16,16 --max-error 0.0020752 --form table --name gelu -o gelu2.suf >out
diff <(grep '^values' gelu.suf) <(grep '^values' gelu2.suf) >/dev/null || bad "the formula of gelu gives the built-in cells"
"$sufc" fit 'log(x)' --domain 0.25,16 --max-error 0.002 --frac 13 --tail-left none --tail-right none -v -o log.suf >out
grep -q '^fraction 26 13$' log.suf && grep -q '^tried ' out || bad "--frac, --verbose" out log.suf

say "== refusals"
refused "no function" 1 "no function was given" "$sufc" fit
refused "a formula without a domain" 1 "needs --domain" "$sufc" fit 'tanh(x)'
refused "two functions" 1 "one function at a time" "$sufc" fit tanh erf
refused "a misspelt function" 1 "no function or constant 'tnah'" "$sufc" fit 'tnah(x)' --domain -4,4 --max-error 0.1
refused "a domain that is none" 1 "domain: expected" "$sufc" fit 'tanh(x)' --domain 4 --max-error 0.1
refused "an unknown form" 1 "table, pieces or auto" "$sufc" fit tanh --form spline
refused "fraction bits" 1 "--frac: expected a whole number" "$sufc" fit tanh --frac 40
refused "a tail between two multiples" 1 "expected a multiple of 2.-12" "$sufc" fit tanh --tail-right 0.1
refused "no limit" 2 "neither to a constant nor to x" "$sufc" fit 'exp(x)' --domain -8,8 --max-error 0.1
refused "an error too small" 2 "nothing keeps the error below" "$sufc" fit 'sigmoid(x)' --domain -8,8 --max-error 1e-7 --form pieces
refused "a folder that is not there" 3 "cannot write" "$sufc" fit relu -o no/such.suf
[[ ! -e no ]] || bad "a refused command made a folder"

say "== descriptors of a model"
models=$root/tests/models
for name in mish parts log; do
	"$sufc" "$models/act_$name.onnx" --descriptor mish.suf --dump=fuse_unary --stop-after=fuse_unary >out || bad "act_$name.onnx with its descriptor"
	[[ $(grep -c ' = act ' out) -eq 1 && $(grep -c ' = ' out | cut -d : -f 2) -ge 3 ]] || bad "act_$name.onnx: one operation act" out
done
printf 'suf-descriptor 1\nname foo\nop Foo\nfunction x*tanh(softplus(x))\ndomain -8 8\nmax-error 0.01\n' >foo.suf
"$sufc" "$models/act_foo.onnx" --descriptor foo.suf --dump=fuse_unary --stop-after=fuse_unary >out 2>message || bad "an operator of another domain" message
grep -q 'using "foo"' out && grep -q 'attribute steps is not looked at' message || bad "an operator of another domain" out message
for name in mish parts log; do
	"$sufc" verify "$models/act_$name.onnx" --descriptor mish.suf --ring-bits=45 --input "x=$models/act_x.npy" -q >out || bad "act_$name.onnx: verify" out
	grep -q 'parties, dealer and simulation agree on .* and on the outputs, bit for bit' out || bad "act_$name.onnx: parties and simulation" out
	awk '$1 == "a" && $4 <= 0.01 { ok = 1 } END { exit !ok }' out || bad "act_$name.onnx: the error of the activation is above the promised one" out
done
"$sufc" compare "$models/act_mish.onnx" --descriptor mish.suf --ring-bits=45 -q >out 2>message || bad "compare with a descriptor" out message

say "== from a text file to a private run, as docs/suf.md says"
mkdir walk
sed -n '/^## Mish, from a text file/,$p' "$root/docs/suf.md" | sed -n '/^```sh$/,/^```$/p' | sed '1d;$d' >walk/commands
cp "$models/act_parts.onnx" walk/model.onnx
cp "$models/act_x.npy" walk/x.npy
(cd walk && PATH=$build:$PATH timeout 120 bash -e commands) >out 2>message || bad "the commands of docs/suf.md" message
"$build/npy" close walk/y.npy "$models/act_y.npy" 0.01 >out || bad "the private result is not that of the float model" out

say "== refusals of descriptors"
refused "an undescribed operator" 2 "describe it: --descriptor" "$sufc" "$models/act_foo.onnx" -o party.c
refused "an undescribed function" 2 "describe that: --descriptor" "$sufc" "$models/act_parts.onnx" -o party.c
refused "a descriptor that is not there" 3 "none.suf.*cannot read" "$sufc" "$models/act_mish.onnx" --descriptor none.suf -o party.c
refused "a folder as descriptor" 3 "is a directory" "$sufc" "$models/act_mish.onnx" --descriptor . -o party.c
sed 's/^max-error .*/max-error 0.001/' mish.suf >lie.suf
refused "a promise that is not kept" 2 "lie.suf: error: the error is .*0.001 is promised" "$sufc" "$models/act_mish.onnx" --descriptor lie.suf -o party.c
refused "other fraction bits" 2 "made for results of 12 fraction bits, the program has 10" "$sufc" "$models/act_mish.onnx" --descriptor mish.suf --frac-bits=10 -o party.c
refused "the same one twice" 2 "a second descriptor with the name 'mish'" "$sufc" "$models/act_mish.onnx" --descriptor mish.suf --descriptor mish.suf -o party.c
head -c 300 mish.suf >cut.suf
refused "a descriptor cut short" 2 "cut.suf:10: error: cells: expected 512 values" "$sufc" "$models/act_mish.onnx" --descriptor cut.suf -o party.c
[[ ! -e party.c ]] || bad "a refused command left a program"
report
