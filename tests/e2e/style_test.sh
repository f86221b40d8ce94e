#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules of the tree that a compiler does not check: forbidden calls, files at the root, paths in documents, licence lines.
source "$(dirname "$0")/lib.sh"
cd "$root"

say "== the runtime neither reads the environment, nor exits, nor uses weak randomness"
forbidden='\b(getenv|secure_getenv|putenv|setenv|rand|srand|rand_r|random|srandom|drand48|lrand48|exit|_exit|abort|assert|system|popen|gets)[[:space:]]*\('
for file in $(find runtime kernels -name '*.c' -o -name '*.h' -o -name '*.cu'); do
	# Comments may name them.
	sed -e 's,//.*,,' -e 's,"[^"]*","",g' "$file" |
		awk '{ while (1) { if (skip) { i = index($0, "*/"); if (!i) { $0 = ""; break } $0 = substr($0, i + 2); skip = 0 }
			i = index($0, "/*"); if (!i) break
			rest = substr($0, i + 2); j = index(rest, "*/")
			if (j) $0 = substr($0, 1, i - 1) substr(rest, j + 2); else { $0 = substr($0, 1, i - 1); skip = 1; break } }
			print }' >"$work/code"
	if grep -En -e "$forbidden" "$work/code" >"$work/hits"; then
		bad "$file" "$work/hits"
	fi
done
say "== the compiler does not read the environment"
if grep -rEn '\b(secure_)?getenv[[:space:]]*\(' frontend ir passes backend --include='*.c' --include='*.h' >"$work/hits"; then
	bad "environment" "$work/hits"
fi

say "== the runtime includes no header of the compiler"
if grep -rEn '#include "(\.\./)?(ir|passes|frontend|backend)[/.]' runtime kernels >"$work/hits" 2>/dev/null; then
	bad "include" "$work/hits"
fi

say "== the root holds its fixed list of files"
allowed=' .ci .clang-format .gitignore CHANGELOG.md CMakeLists.txt CMakePresets.json CONTRIBUTING.md LICENSE Makefile README.md SECURITY.md
	backend cmake docs examples frontend ir kernels passes runtime tests tools '
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	top=$(git ls-files | cut -d / -f 1 | sort -u)
else
	top=$(ls -A | grep -v -e '^build' -e '^\.git$')
fi
for entry in $top; do
	grep -q "[[:space:]]$entry[[:space:]]" <<<"$(tr '\n' ' ' <<<"$allowed")" || bad "the root may not hold '$entry'"
done

say "== every source file has its licence line"
for file in $(find frontend ir passes backend runtime kernels tests tools examples \( -name '*.[ch]' -o -name '*.def' -o -name '*.cu' \
	-o -name '*.sh' -o -name '*.py' -o -name 'CMakeLists.txt' \) -type f) CMakeLists.txt Makefile .ci/run; do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || bad "$file: no licence line in its first three lines"
done

say "== paths that documents name exist"
# `runtime/suf.h` and the like in back quotes or links; names with a placeholder (NAME, SET) are not paths.
for doc in $(find . -name '*.md' -not -path './build*' -not -path './.git/*'); do
	here=$(dirname "$doc")
	grep -oE '(`|\]\()(\./)?[A-Za-z0-9_.][A-Za-z0-9_./-]*(`|\)|#)' "$doc" | sed -E 's/^(`|\]\()//; s/[`)#]$//; s,/$,,' | sort -u |
		while read -r path; do
			name=$path
			case $path in
			frontend/* | ir/* | passes/* | backend/* | runtime/* | kernels/* | examples/* | tests/* | docs/* | tools/* | cmake/*) ;;
			*.md | *.def) ;;
			*) continue ;;
			esac
			[[ ! $path =~ (^|[/_.-])(NAME|DIR|SET|OP|FILE|PREFIX|ID)([/_.-]|$) ]] || continue
			[[ $path == */* ]] || path=$(find . -name "$path" -not -path './build*' | awk 'NR == 1')  # a bare name: anywhere
			[[ -n $path ]] && [[ -e $path || -e $here/$path ]] || echo "$doc: ${path:-$name}"
		done >>"$work/missing"
done
[[ ! -s $work/missing ]] || bad "documents name files that are not there" "$work/missing"

say "== no open ends"
if grep -rEn '\b(TODO|FIXME|XXX|HACK)\b' frontend ir passes backend runtime kernels tools examples --include='*.[ch]' \
	--include='*.sh' --include='*.py' --include='*.cu' --include='*.def' >"$work/hits"; then
	bad "open ends in the sources" "$work/hits"
fi
report
