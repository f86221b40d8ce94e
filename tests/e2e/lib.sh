# SPDX-License-Identifier: Apache-2.0
# What the end-to-end tests share: a scratch folder, checks of exit status, message and left-over files.
set -euo pipefail
[[ $# -ge 1 ]] || { echo "usage: $0 BUILD_DIR" >&2; exit 1; }
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
data=$root/tests/e2e/data
source "$root/tools/lib.sh"
work=$(mktemp -d)
failures=0
finish() {
	local jobs
	jobs=$(jobs -p)
	[[ -z $jobs ]] || { kill -9 $jobs && wait; } 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

say() { printf '%s\n' "$*"; }
bad() {
	printf 'FAILED: %s\n' "$1"
	shift
	[[ $# -eq 0 ]] || sed 's/^/    | /' "$@"
	failures=$((failures + 1))
}

# The message of a refusal is short, names the cause and is no crash report: clear_message FILE PATTERN WHAT
clear_message() {
	local lines
	lines=$(grep -c . "$1" || true)
	if ! grep -Eiq -e "$2" "$1"; then
		bad "$3: the message does not say /$2/" "$1"
	elif [[ $lines -gt 12 ]]; then
		bad "$3: the message has $lines lines" "$1"
	elif grep -Eq 'Sanitizer|Assertion|BUG|core dumped|runtime error' "$1"; then
		bad "$3: a crash, not a message" "$1"
	fi
}

# refused WHAT STATUS PATTERN COMMAND...: the command must exit with STATUS ("1|3": one of them) and say PATTERN.
refused() {
	local what=$1 want=$2 pattern=$3 status=0
	shift 3
	timeout 60 "$@" >"$work/message" 2>&1 </dev/null || status=$?
	if [[ "|$want|" != *"|$status|"* ]]; then
		bad "$what: exit status $status, want $want" "$work/message"
		return
	fi
	clear_message "$work/message" "$pattern" "$what"
	say "ok: $what: $(grep -Ei -m 1 -e "$pattern" "$work/message" | cut -c 1-180)"
}

# nothing_left DIR WHAT: a refused command leaves no file, half-written or temporary, in DIR.
nothing_left() {
	local left
	left=$(find "$1" -mindepth 1 ! -name '*.used')
	[[ -z $left ]] || bad "$2 left behind: $left"
}

# Deal key pairs of a program: deal PROGRAM DIR [COUNT]
deal() {
	mkdir -p "$2"
	"$1" keygen --out "$2" --count "${3:-1}" >"$work/keygen.log" 2>&1 || { bad "keygen into $2" "$work/keygen.log"; return 1; }
}

# mask PROGRAM DIR: DIR/masked.weights from PROGRAM.weights and DIR/model.owner
mask() {
	"$1" mask-weights --weights "$1.weights" --owner "$2/model.owner" --out "$2/masked.weights" >"$work/mask.log" 2>&1 ||
		{ bad "mask-weights" "$work/mask.log"; return 1; }
}

# What the program predicts, from its command info: predicted PROGRAM key|sent PARTY
predicted() {
	"$1" info | sed -n "s/^$2 *\([0-9]*\) and \([0-9]*\) bytes\$/\\$(($3 + 1))/p"
}

report() {
	[[ $failures -eq 0 ]] || { say "$failures checks failed"; exit 1; }
	say "all checks passed"
}
