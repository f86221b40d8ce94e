#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An installed sufc finds its library, and services find libsuf through pkg-config and CMake.
source "$(dirname "$0")/lib.sh"
prefix=$work/usr
cmake --install "$build" --prefix "$prefix" >"$work/install.log" 2>&1 || { bad "cmake --install" "$work/install.log"; report; }
model=$data/tiny.onnx

say "== a program built by the installed sufc"
"$prefix/bin/sufc" "$model" -o "$work/tiny" >"$work/log" 2>&1 || bad "sufc -o PROGRAM" "$work/log"
"$work/tiny" info >"$work/info" 2>&1 || bad "info" "$work/info"
[[ -f $work/tiny.weights ]] || bad "no weights beside the program"
leftover=$(find "$work" -maxdepth 1 -name 'tiny*' ! -name tiny ! -name tiny.weights)
[[ -z $leftover ]] || bad "left behind: $leftover"
"$prefix/bin/sufc" "$model" -o "$work/other.c" --suf-dir "$prefix" >"$work/log" 2>&1 || bad "--suf-dir" "$work/log"
grep -q -- "-I$prefix/include/suf " "$work/log" || bad "the build line does not name the installed header" "$work/log"
refused "no libsuf where --suf-dir says" 4 "libsuf|suf-dir" "$prefix/bin/sufc" "$model" -o "$work/none.c" --suf-dir "$work/nowhere"

sanitize=$(sed -n 's/^SUFC_SANITIZE:[A-Z]*=//p' "$build/CMakeCache.txt")
if [[ -z $sanitize ]]; then
	say "== a service that links libsuf"
	"$prefix/bin/sufc" "$model" -o "$work/model.c" --lib >"$work/log" 2>&1 || bad "sufc --lib" "$work/log"
	cat >"$work/service.c" <<-'EOF'
		#include <stdio.h>
		#include "model.h"
		int main(void) { return printf("%s\n", suf_program_model.input[0].name) < 0; }
	EOF
	export PKG_CONFIG_PATH
	PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name libsuf.pc)")
	# shellcheck disable=SC2046
	cc -std=c11 -Wall -Wextra -Werror "$work/service.c" "$work/model.c" \
		$(pkg-config --define-prefix --static --cflags --libs libsuf) -o "$work/service" 2>"$work/log" || bad "pkg-config" "$work/log"
	[[ $("$work/service") == x ]] || bad "the service does not know the model's input"
	cat >"$work/CMakeLists.txt" <<-'EOF'
		cmake_minimum_required(VERSION 3.20)
		project(service C)
		find_package(suf REQUIRED)
		add_executable(service service.c model.c)
		target_link_libraries(service suf::suf)
	EOF
	{ cmake -S "$work" -B "$work/b" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$work/b"; } >"$work/log" 2>&1 || bad "find_package(suf)" "$work/log"
	[[ $("$work/b/service") == x ]] || bad "the service made with CMake"
fi
report
