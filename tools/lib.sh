# SPDX-License-Identifier: Apache-2.0
# Shell functions that the demo, the benchmark and the end-to-end tests share.  Source it after setting
#   build  the build folder (sufc, libsuf.a and npy inside)
#   root   the source folder

# Ends the script, with a way out, where a program is not built yet: need_built NAME...
need_built() {
	local name
	for name; do
		[[ -x $build/$name ]] || { echo "$build/$name is not there; first: cmake --build $build --target suf $*" >&2; exit 1; }
	done
}

# A port of 127.0.0.1 on which nobody listens.
pick_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 30000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
}

# A number from the "totals" object of a --stats file: json_total FILE KEY
json_total() {
	tr -d ' \n\t' <"$1" | sed -n 's/.*"totals":{\([^}]*\)}.*/\1/p' | tr ',' '\n' | sed -n "s/^\"$2\"://p" | awk 'NR == 1'
}

# A number of one cost class: json_class FILE CLASS KEY
json_class() {
	tr -d ' \n\t' <"$1" | sed -n "s/.*\"classes\":{.*\"$2\":{\([^}]*\)}.*/\1/p" | tr ',' '\n' | sed -n "s/^\"$3\"://p" | awk 'NR == 1'
}

# Compile a model and build the emitted program: build_program MODEL OUT [sufc options]
# OUT.c, OUT.weights and the program OUT appear; the clang line is the one that sufc prints.
build_program() {
	local model=$1 out=$2 line
	shift 2
	"$build/sufc" "$model" -o "$out.c" "$@" >"$out.log" 2>&1 || return
	line=$(sed -n 's/^[[:space:]]*\(build[^:]*: *\)\{0,1\}\(.*libsuf\.a.*\)$/\2/p' "$out.log" | awk 'NR == 1')
	if [[ -z $line ]]; then
		echo "sufc did not print how to build the program:" >&2
		cat "$out.log" >&2
		return 1
	fi
	bash -c "$line"
}

# The gate sets that implement every operation
gate_sets() {
	"$build/sufc" --list-gates | sed -n 's/^sets with a gate for every operation: *//p'
}

# The files of the only key in a folder: key_of DIR ROLE
key_of() {
	local found=("$1"/*.p"$2".key)
	[[ ${#found[@]} -eq 1 && -f ${found[0]} ]] || { echo "$1: want one key for party $2, have: ${found[*]}" >&2; return 1; }
	echo "${found[0]}"
}

# Run both parties of one inference: run_pair PROGRAM KEY0 KEY1 WEIGHTS PREFIX ADDRESS ARGS...
# ARGS go to party 1 (--input, --output).  PREFIX.0.json, .1.json get statistics, PREFIX.0.log, .1.log the output.
# link_options_N: the connection's options of role N.  peer_program, peer_weights: what party 1 has instead (weights "none": party 0 sends
# them).  model_owner: party 0 owns the weights, this is its model.owner.  Sets status0, status1.
run_pair() {
	local program=$1 key0=$2 key1=$3 weights=$4 prefix=$5 address=$6 pid theirs=(--weights "${peer_weights:-$4}")
	[[ ${peer_weights:-} != none ]] || theirs=()
	shift 6
	"$program" run --role 0 --key "$key0" --weights "$weights" ${model_owner:+--owner "$model_owner"} --listen "$address" "${link_options_0[@]}" \
		--stats "$prefix.0.json" >"$prefix.0.log" 2>&1 </dev/null &
	pid=$!
	status1=0 status0=0
	"${peer_program:-$program}" run --role 1 --key "$key1" "${theirs[@]}" --connect "$address" "${link_options_1[@]}" \
		--stats "$prefix.1.json" "$@" >"$prefix.1.log" 2>&1 </dev/null || status1=$?
	wait "$pid" || status0=$?
	[[ $status0 -eq 0 && $status1 -eq 0 ]]
}

# TLS options for run_pair, from a folder of make_certs.sh: use_tls DIR
use_tls() {
	link_options_0=(--tls-cert "$1/party0.pem" --tls-key "$1/party0.key" --tls-ca "$1/ca.pem")
	link_options_1=(--tls-cert "$1/party1.pem" --tls-key "$1/party1.key" --tls-ca "$1/ca.pem")
}

use_plain() {
	link_options_0=(--plain)
	link_options_1=(--plain)
}
