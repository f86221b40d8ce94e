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
report
