#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What goes wrong in use: each fault gives one clear message and its exit status, and leaves nothing half-written.
source "$(dirname "$0")/lib.sh"
sufc=$build/sufc

# --- models ---------------------------------------------------------------------------------
# no_compile WHAT STATUS PATTERN MODEL [options]
no_compile() {
	local what=$1 want=$2 pattern=$3 model=$4
	shift 4
	rm -rf "$work/out"
	mkdir "$work/out"
	refused "$what" "$want" "$pattern" "$sufc" "$model" -o "$work/out/party.c" "$@"
	nothing_left "$work/out" "$what"
}

say "== models that sufc refuses"
vit=$root/examples/digits_vit/model.onnx
bytes=$(stat -c %s "$vit")
no_compile "no model file" 3 "no_such.onnx.*(No such file|not found|cannot)" "$work/no_such.onnx"
no_compile "a folder as model" "2|3" "directory|regular file|not a" "$work"
: >"$work/empty.onnx"
no_compile "an empty model" "2|3" "empty|truncated|not an ONNX|no graph" "$work/empty.onnx"
for part in 1 16 1000 $((bytes / 2)) $((bytes - 1)); do
	head -c "$part" "$vit" >"$work/cut.onnx"
	no_compile "a model cut to $part bytes" "2|3" "cut.onnx" "$work/cut.onnx"
done
head -c 4096 /dev/urandom >"$work/noise.onnx"
no_compile "random bytes" "2|3" "noise.onnx" "$work/noise.onnx"
cp "$vit" "$work/nan.onnx"
printf '\377%.0s' {1..16} | dd of="$work/nan.onnx" bs=1 seek=$((bytes / 2)) conv=notrunc status=none
no_compile "NaN in the weights of a trained model" 2 "not finite|nan|infinit" "$work/nan.onnx"
no_compile "a NaN weight" 2 "w1.*(not finite|nan)|(not finite|nan).*w1" "$data/nan_weight.onnx"
no_compile "an infinite weight" 2 "w1.*(not finite|inf)|(not finite|inf).*w1" "$data/inf_weight.onnx"
no_compile "external data that is not there" "2|3" "no_such_file.bin" "$data/external_missing.onnx"
no_compile "external data outside the model's folder" "2|3" "w1|outside|passwd|\.\." "$data/external_escape.onnx"
grep -q root: "$work/message" && bad "the message shows the content of another file" "$work/message"
no_compile "external data beyond the end of its file" "2|3" "w1|offset|length|beyond" "$data/external_range.onnx"
no_compile "shapes that do not fit" 2 "first.*8|MatMul" "$data/wrong_shape.onnx"
no_compile "a weight shorter than its shape" 2 "w1" "$data/short_weight.onnx"
no_compile "a weight of 2^80 elements" 2 "w1" "$data/huge_weight.onnx"
no_compile "a negative dimension" 2 "w1" "$data/negative_dim.onnx"
no_compile "a dimension without value" 2 "batch" "$data/free_dim.onnx"
no_compile "a value that nothing makes" 2 "hb" "$data/no_producer.onnx"
no_compile "a cycle" 2 "cycle|order|before|egg|hen|'[ab]'" "$data/cycle.onnx"
no_compile "an operator of secret shape" 2 "NonZero" "$data/unsupported.onnx"

say "== wrong command lines"
no_compile "an unknown option" 1 "--nonsense|unrecognized|unknown" "$data/tiny.onnx" --nonsense
no_compile "an unknown gate set" 1 "gates|nothing_such" "$data/tiny.onnx" --gates=nothing_such
no_compile "a shape for an input that is not there" "1|2" "nobody" "$data/tiny.onnx" --shape nobody=1x2
no_compile "calibration data that is not there" 3 "none.npz" "$data/tiny.onnx" --calibrate "$work/none.npz"
head -c 100 "$root/examples/digits_vit/calibrate.npz" >"$work/cut.npz"
no_compile "calibration data cut short" "2|3" "cut.npz" "$vit" --calibrate "$work/cut.npz"
refused "output into a folder that is not there" 3 "no_such_dir" "$sufc" "$data/tiny.onnx" -o "$work/no_such_dir/party.c"
refused "no arguments" 1 "usage|MODEL" "$sufc"

say "== a full disk while compiling"
mkdir "$work/full"
refused "no room for the output" 3 "space|too large|write|party" \
	bash -c "trap '' XFSZ; ulimit -f 1; exec '$sufc' '$data/other.onnx' -o '$work/full/party.c'"
nothing_left "$work/full" "a full disk"
if [[ $(id -u) -eq 0 ]] && mount -t tmpfs -o size=8k tmpfs "$work/full" 2>/dev/null; then
	refused "no room on the device" 3 "space|write|party" "$sufc" "$vit" -o "$work/full/party.c"
	nothing_left "$work/full" "a full device"
	umount "$work/full"
fi

# --- programs --------------------------------------------------------------------------------
say "== a program, its keys and its peer"
build_program "$data/tiny.onnx" "$work/tiny" || { bad "compile tiny" "$work/tiny.log"; report; }
build_program "$data/other.onnx" "$work/other" || { bad "compile other" "$work/other.log"; report; }
deal "$work/tiny" "$work/keys" 5
mask "$work/tiny" "$work/keys"
deal "$work/other" "$work/o"
mask "$work/other" "$work/o"
weights=$work/keys/masked.weights
mkdir "$work/run"

# The key file of pair $1 (1 to 5) for party $2
key() { printf '%s\n' "$work"/keys/*.p"$2".key | sed -n "${1}p"; }
# Both parties with other keys or inputs: pair WHAT STATUS0 STATUS1 PATTERN PROGRAM KEY0 KEY1 ARGS...; plain, over loopback
pair() {
	local what=$1 want0=$2 want1=$3 pattern=$4 program=$5 key0=$6 key1=$7
	shift 7
	rm -f "$work"/run/*
	link_options_0+=(--timeout 5)
	link_options_1+=(--timeout 5)
	run_pair "$program" "$key0" "$key1" "$weights" "$work/pair" "127.0.0.1:$(pick_port)" "$@" || true
	if [[ "|$want0|" != *"|$status0|"* || "|$want1|" != *"|$status1|"* ]]; then
		bad "$what: exit status $status0 and $status1, want $want0 and $want1" "$work/pair.0.log" "$work/pair.1.log"
		return
	fi
	cat "$work/pair.0.log" "$work/pair.1.log" >"$work/both"
	[[ $want1 == 0 ]] || clear_message "$work/both" "$pattern" "$what"
	[[ $want1 == 0 ]] || nothing_left "$work/run" "$what"
	say "ok: $what: $(grep -Ei -m 1 -e "$pattern" "$work/both" | cut -c 1-180)"
}
good=(--input "x=$data/tiny_x.npy" --output "y=$work/run/y.npy")
a0=$(key 1 0) a1=$(key 1 1)

say "== inputs that do not fit (the key must survive them)"
role1=("$work/tiny" run --role 1 --key "$a1" --weights "$weights" --connect 127.0.0.1:1 --plain --output "y=$work/run/y.npy")
refused "an input of the wrong shape" "1|3" "x.*(4, *7|4x7|4, *8|4x8)|shape" "${role1[@]}" --input "x=$data/wrong_shape_x.npy"
refused "an input of the wrong type" "1|3" "x.*(int64|float)|type" "${role1[@]}" --input "x=$data/wrong_type_x.npy"
refused "an input with NaN" "1|3" "nan|finite" "${role1[@]}" --input "x=$data/nan_x.npy"
refused "an input that is not there" 3 "none.npy" "${role1[@]}" --input "x=$work/none.npy"
refused "an input without a name in the model" 1 "nobody" "${role1[@]}" --input "nobody=$data/tiny_x.npy"
refused "no input" 1 "x|input" "${role1[@]}"
head -c 130 "$data/tiny_x.npy" >"$work/cut.npy"
refused "an input cut short" "1|3" "cut.npy" "${role1[@]}" --input "x=$work/cut.npy"
nothing_left "$work/run" "refused inputs"

say "== keys and weights that do not fit"
refused "a key that is not there" 3 "none.key" "$work/tiny" run --role 0 --key "$work/none.key" --weights "$weights" \
	--listen 127.0.0.1:1 --plain
refused "weights that are not there" 3 "none.weights" "$work/tiny" run --role 0 --key "$a0" --weights "$work/none.weights" \
	--listen 127.0.0.1:1 --plain
refused "a key of another model" 5 "another|program|model|hash" "$work/tiny" run --role 0 --key "$(key_of "$work/o" 0)" \
	--weights "$weights" --listen 127.0.0.1:1 --plain
refused "the other party's key" 5 "party|role" "$work/tiny" run --role 0 --key "$a1" --weights "$weights" --listen 127.0.0.1:1 --plain
refused "weights of another model" 5 "another|program|model|hash" "$work/other" run --role 0 --key "$(key_of "$work/o" 0)" \
	--weights "$weights" --listen 127.0.0.1:1 --plain
head -c 100 "$a0" >"$work/cut.key"
refused "a key cut in its header" 5 "cut.key|short|end|truncated|header" "$work/tiny" run --role 0 --key "$work/cut.key" \
	--weights "$weights" --listen 127.0.0.1:1 --plain
cp "$a0" "$work/bent.key"
printf '\125\252' | dd of="$work/bent.key" bs=1 seek=90 conv=notrunc status=none
refused "a key with a changed header" 5 "bent.key|damaged|hash|sum|header|changed" "$work/tiny" run --role 0 --key "$work/bent.key" \
	--weights "$weights" --listen 127.0.0.1:1 --plain
head -c 150 "$weights" >"$work/cut.weights"
refused "weights cut short" "3|5" "cut.weights|short|end|truncated|damaged" "$work/tiny" run --role 0 --key "$a0" \
	--weights "$work/cut.weights" --listen 127.0.0.1:1 --plain

say "== the network"
refused "nobody listens" 3 "connect|refused|127.0.0.1" timeout 30 "$work/tiny" run --role 1 --key "$a1" --weights "$weights" \
	--connect "127.0.0.1:$(pick_port)" --plain --timeout 2 "${good[@]}"
refused "plain TCP to the world" 1 "plain|loopback|TLS" "$work/tiny" run --role 0 --key "$a0" --weights "$weights" \
	--listen "0.0.0.0:$(pick_port)" --plain
refused "neither TLS nor --plain" 1 "tls|plain" "$work/tiny" run --role 0 --key "$a0" --weights "$weights" --listen 127.0.0.1:1
"$root/tools/make_certs.sh" "$work/certs"
"$root/tools/make_certs.sh" "$work/strangers"
use_tls "$work/certs"
link_options_1=(--tls-cert "$work/strangers/party1.pem" --tls-key "$work/strangers/party1.key" --tls-ca "$work/certs/ca.pem")
pair "a certificate of a stranger" "3|5" "3|5" "certificate|TLS|verify" "$work/tiny" "$a0" "$a1" "${good[@]}"
use_tls "$work/certs"
link_options_1=(--plain)
pair "one side without TLS" "3|5" "3|5" "TLS|handshake|closed|peer" "$work/tiny" "$a0" "$a1" "${good[@]}"
use_tls "$work/certs"
pair "two keys of different pairs" 5 5 "key|pair|session" "$work/tiny" "$a0" "$(key 2 1)" "${good[@]}"
peer_program=$work/other peer_weights=$work/o/masked.weights
pair "a peer with another program" "3|5" "3|5" "program|model" "$work/tiny" "$a0" "$(key_of "$work/o" 1)" "${good[@]}"
unset peer_program peer_weights

say "== a key is used once"
if pair "the first use of a key" 0 0 "" "$work/tiny" "$a0" "$a1" "${good[@]}"; then
	[[ -s $work/run/y.npy ]] || bad "the first use gave no output"
fi
pair "the second use of a key" 5 "3|5" "used" "$work/tiny" "$a0" "$a1" "${good[@]}"

say "== the peer dies in the middle"
# Party 0 gets only a part of its key, so it waits inside the run; then it is killed.
mkfifo "$work/fifo"
c0=$(key 3 0) c1=$(key 3 1)
size=$(stat -c %s "$c0")
(head -c $((size - 16)) "$c0" && exec sleep 30) >"$work/fifo" &
feeder=$!
address=127.0.0.1:$(pick_port)
rm -f "$work"/run/*
"$work/tiny" run --role 0 --key "$work/fifo" --weights "$weights" --listen "$address" "${link_options_0[@]}" \
	>"$work/p0.log" 2>&1 </dev/null &
victim=$!
"$work/tiny" run --role 1 --key "$c1" --weights "$weights" --connect "$address" "${link_options_1[@]}" "${good[@]}" \
	>"$work/p1.log" 2>&1 </dev/null &
survivor=$!
sleep 2
{ kill -9 "$victim" && wait "$victim"; } 2>/dev/null || true
status=0
wait "$survivor" || status=$?
{ kill "$feeder" && wait "$feeder"; } 2>/dev/null || true
if [[ $status -eq 3 || $status -eq 5 ]]; then
	clear_message "$work/p1.log" "peer|closed|connection|reset" "a peer that is killed"
	say "ok: a peer that is killed: $(grep -m 1 . "$work/p1.log")"
else
	bad "a peer that is killed: exit status $status" "$work/p0.log" "$work/p1.log"
fi
nothing_left "$work/run" "a peer that is killed"
pair "the survivor's key afterwards" "3|5" "3|5" "used" "$work/tiny" "$c0" "$c1" "${good[@]}"

say "== a key that ends too early"
d0=$(key 4 0) d1=$(key 4 1)
head -c $((size - 16)) "$d0" >"$work/early.key"
pair "a key without its end" "3|5" "3|5" "key|end|short|closed|peer" "$work/tiny" "$work/early.key" "$d1" "${good[@]}"

say "== a full disk at the end of a run and while dealing"
mkdir "$work/tight"
refused "no room for keys" 3 "space|too large|write|key" \
	bash -c "trap '' XFSZ; ulimit -f 1; exec '$work/tiny' keygen --out '$work/tight' --count 4"
left=$(find "$work/tight" -name '*.key' -o -name '*.tmp')
[[ -z $left ]] || bad "dealing on a full disk left behind: $left"
refused "a dealer's pipe that is full" 3 "space|write" bash -c "exec '$work/tiny' keygen --to-fd 3,4 --owner '$work/keys/model.owner' 3>/dev/full 4>/dev/full"
refused "an output folder that is not there" "1|3" "no_such_dir" "$work/tiny" run --role 1 --key "$(key 5 1)" --weights "$weights" \
	--connect 127.0.0.1:1 --plain --timeout 2 --input "x=$data/tiny_x.npy" --output "y=$work/no_such_dir/y.npy"
e1=$(key 5 1)
[[ ! -e ${e1%.key}.used ]] || bad "a key was claimed though nothing was sent"
report
