#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No branch and no address depends on a secret: tests/unit/constant_time*_test.c mark all seeds as unknown, memcheck watches
# the compiled dealer and parties.
source "$(dirname "$0")/lib.sh"
programs=("$build"/tests/constant_time{,_compact}_test)

if ! command -v valgrind >/dev/null; then
	say "skipped: no valgrind here"
	exit 0
fi
if nm "${programs[0]}" | grep -E '__(asan|tsan|ubsan)_' >/dev/null; then # not -q: nm must be able to finish
	say "skipped: memcheck does not go with a sanitizer"
	exit 0
fi
# Shares are sent on purpose.
cat >"$work/allowed" <<'END'
{
   messages
   Memcheck:Param
   socketcall.sendto(msg)
   fun:*send*
}
END
for program in "${programs[@]}"; do
	cp "$program" "$work/program"
	strip --strip-debug "$work/program" # old versions cannot read the debug information of new compilers
	valgrind -q --error-exitcode=9 --suppressions="$work/allowed" "$work/program" >"$work/log" 2>&1 || bad "memcheck: ${program##*/}" "$work/log"
	if ! grep -q PASSED "$work/log"; then
		bad "${program##*/} did not finish" "$work/log"
	fi
done
report
