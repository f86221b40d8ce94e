/* SPDX-License-Identifier: Apache-2.0
 * ir_check_test.c -- what the checker of programs refuses: edits that break one rule each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ir_text.h"

/* ---- what the checker refuses ---------------------------------------------------- */

/* A good program, and edits that break one rule each: the line that begins with `line`
 * becomes `instead`.  NULL: the unedited program, which must pass. */
struct edit { const char *line, *instead, *message; };

static const char float_good[] =
	HEAD
	"value %x : f32[2x4] secret\n"
	"const %w : f32[4x4] weight = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
	"const %b : f32[4] weight = 1 2 3 4\n"
	"const %i : i64[2] public = 1 0\n"
	"%y : f32[2x4] secret = matmul %x, %w, %b\n"
	"%g : f32[2x4] secret = gather %y, %i {axis=0}\n"
	"%s : f32[2x2] secret = slice %g {axis=1, start=0, step=2}\n"
	"%r : f32[2x1] secret = reduce_mean %s {axes=[-1], keepdims=1}\n"
	"%d : f32[2x2] secret = sub %s, %r\n"
	"input %x\n"
	"output %d\n";
static const struct edit float_edit[] = {
	{ NULL, NULL, NULL },
	{ "%y", "%y : f32[2x4] secret = matmul %x", "1 operands, expected 2 or more, at most 3" },
	{ "%y", "%y : f32[2x4] secret = matmul %x, %b, %b", "the bias 'b' should have the shape [1]" },
	{ "%y", "%y : f32[2x4] secret = matmul %w, %x", "inner dimensions 4 and 2 differ" },
	{ "%y", "%y : f32[2x3] secret = matmul %x, %w, %b", "the shape of the result should be [2x4]" },
	{ "%y", "%y : f32[2x4] secret = matmul %x, %w, %i", "the bias 'i' should have the shape [4]" },
	{ "%y", "%y : f32[2x4] public = matmul %x, %w, %b", "the result is public, but computed from 'x', which is secret" },
	{ "%y", "%y : f32[2x4] weight = matmul %x, %w, %b", "the result is weight, but computed from 'x'" },
	{ "%y", "%y : i64[2x4] secret = matmul %x, %w, %b", "the elements of the result are i64, expected f32" },
	{ "%y", "%y : f32[2x4] secret 50.12 = matmul %x, %w, %b", "has a ring width at stage FLOAT" },
	{ "%y", "%y : f32[2x4] masked = matmul %x, %w, %b", "'y' is masked, which is a form of stage SCHED" },
	{ "%y", "%y : f32[2x4] secret = rescale %x {shift=3}", "is not an operation of stage FLOAT" },
	{ "%y", "%y : f32[2x4] secret = step.lin %x {id=1}", "is not an operation of stage FLOAT" },
	{ "%g", "%g : f32[2x4] secret = gather %y, %i", "the attribute 'axis' is missing" },
	{ "%g", "%g : f32[2x4] secret = gather %y, %i {axis=0, eps=1}", "has no attribute 'eps'" },
	{ "%g", "%g : f32[2x4] secret = gather %y, %i {axis=2}", "axis 2 of an operand of rank 2" },
	{ "const %i", "%i : i64[2] secret = argmax %x {axis=1, keepdims=0}", "'i' is secret, but selects what is computed" },
	{ "%s", "%s : f32[2x2] secret = slice %g {axis=1, start=1, step=3}", "elements 1 to 4 of an axis of size 4" },
	{ "%y", "%y : f32[2x4] secret = layernorm %x, %b {eps=1e-5}", "gamma comes with beta, or neither is there" },
	{ "%y", "%y : f32[2x4] secret = rmsnorm %x, %i {eps=1e-5}", "'i' should have as many elements as the last axis" },
	{ "%d", "%d : f32[2x2] secret = sub %s, %g", "dimensions 2 and 4 do not broadcast" },
	{ "input", "", "uses 'x', which is neither defined nor a constant nor an input" },
	{ "input", "input %x, %x", "the input 'x' is listed twice" },
	{ "input", "input %x, %w", "the input 'w' is computed or constant" },
	{ "output", "", "the program has no output" },
	{ "const %b", "const %b : f32[4] secret = 1 2 3 4", "the constant 'b' is secret" },
	{ "value", "value %x : f32[2x4] secret range nan 1 proven", "the range of 'x' is not a number" },
};

static const char ring_good[] =
	"sufc-ir 1\nprogram \"m\" stage RING\n"
	"value %x : f32[2x2] secret 50.12\n"
	"const %w : i64[2x2] weight 50.12 = 1 2 3 4\n"
	"const %k : i64[2] public = 1 0\n"
	"%y : f32[2x2] secret 50.24 = matmul %x, %w\n"
	"%z : f32[2x2] secret 50.12 = rescale %y {shift=12}\n"
	"%a : f32[2x2] secret 50.12 = add %z, %x\n"
	"%t : f32[2x2] secret 50.12 = transpose %a {perm=[1,0]}\n"
	"%g : f32[2x2] secret 50.12 = gather %t, %k {axis=1}\n"
	"input %x\n"
	"output %g\n";
static const struct edit ring_edit[] = {
	{ NULL, NULL, NULL },
	{ "%a", "%a : f32[2x2] secret 50.12 = add %y, %x", "'y' has 24 fraction bits, the result has 12" },
	{ "%a", "%a : f32[2x2] secret 49.12 = add %z, %x", "'z' has 50 ring bits, the result has 49" },
	{ "%a", "%a : f32[2x2] secret 65.12 = add %z, %x", "has 65 ring bits" },
	{ "%y", "%y : f32[2x2] secret 50.12 = matmul %x, %w", "a product of 12 and 12 fraction bits has 12" },
	{ "%t", "%t : f32[2x2] secret 50.12 = transpose %a {perm=[1,1]}", "perm is not a permutation" },
	{ "value", "value %x : f32[2x2] secret", "'x' has 0 ring bits" },
	{ "const %k", "const %k : i64[2] weight 50.0 = 1 0", "'k' is not a public constant" },
	{ "%z", "%z : f32[2x2] secret 50.12 = rescale %y", "the attribute 'shift' is missing" },
};

static const char sched_good[] =
	"sufc-ir 1\nprogram \"m\" stage SCHED next_id 9 rounds 2 wire 32\n"
	"const %w : i64[2x2] weight 50.12 = 1 2 3 4\n"
	"%x : f32[2x2] masked 50.12 slot 0 input = step.input {id=1, count=4, m=50} round 0\n"
	"%p : f32[2x2] shared 50.24 slot 8 = step.matmul %x, %w {id=2, count=4, na=4, nb=4, n=50, m=50, weight_b=1, mm={batch=1, bh=1, rows=2, inner=2, cols=2, sa=[0,0,2,1], sb=[0,0,2,1]}}\n"
	"%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 1\n"
	"%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	"step.output %l {id=5, count=4, n=50}\n"
	"input %x\n"
	"output %l\n";
#define MATMUL "step.matmul %x, %w {id=2, count=4, na=4, nb=4, n=50, m=50, weight_b=1, mm={batch=1, bh=1, rows=2, inner=2, cols=2, sa=[0,0,2,1], sb=[0,0,2,1]}}"
#define ADDX(form, of, more, map) "%z : f32[2x2] shared " form " slot 24 = step.addx " of " {id=6, count=4, na=4, nb=4, n=50, " more ", map={" map "}}\n" \
	"%o : f32[2x2] masked " form " slot 24 = step.open %z {id=3, count=4, n=50, m=50} round 1"
#define PRODUCT(of, more) "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n" \
	"%k : f32[2x2] shared 50.24 slot 24 = step.mul " of " {id=6, count=4, na=4, nb=4, n=50, m=50, map={dim=[4], so=[1], sa=[1], sb=[1]}, " more "}"
static const struct edit sched_edit[] = {
	{ NULL, NULL, NULL },
	{ "%p", "%p : f32[2x2] masked 50.24 slot 8 = " MATMUL, "the result 'p' is masked, expected shared" },
	{ "%p", "%p : f32[2x2] shared 49.24 slot 8 = " MATMUL, "the pad of 'p' has 4 elements of 50 bits, the value 4 of 49" },
	{ "%p", "%p : f32[2x3] shared 50.24 slot 8 = " MATMUL, "count=4, 'p' has 6 elements" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 8 = step.matmul %x, %w {id=2, count=4, n=50, m=50}", "the step says weight_b=0, 'w' is weight" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 2 = " MATMUL, "'p' takes the place of 'x', which is still needed" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 30 = " MATMUL, "'p' ends at element 34 of a wire buffer of 32" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %x {id=3, count=4, n=50, m=50} round 1", "'x' is masked, only shared values are opened" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=2, count=4, n=50, m=50} round 1", "step id 2 is used twice: pads would repeat" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=9, count=4, n=50, m=50} round 1", "step id 9 is not between 1 and 8" },
	{ "%o", "%o : f32[2x2] masked 40.24 slot 8 = step.open %p {id=3, count=4, n=50, m=40} round 1", "opens 40 bits and drops 0 of 'p', which has 50" },
	{ "%o", "%o : f32[2x2] masked 40.24 slot 8 = step.open %p {id=3, count=4, n=50, m=40, s=10} round 1", "drops bits of both pads of 'p', but step 0" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 24 = step.open %p {id=3, count=4, n=50, m=50} round 1", "'o' is at 24, but shares the place of 'p' at 8" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 0", "nothing is sent in round 1" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 0\n%z : f32[2x2] shared 50.24 slot 24 = step.mul %o, %o {id=6, count=4, n=50, m=50, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	        "%zz : f32[2x2] masked 50.24 slot 24 = step.open %z {id=7, count=4, n=50, m=50} round 1", "reads 'x' before round 0 is exchanged" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 1\n%z : f32[2x2] shared 50.24 slot 24 = step.lin %p {id=6, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, shared=1}", "reads the share 'p' after its opening" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 1\n%z : f32[2x2] masked 50.24 slot 24 = step.input {id=6, count=4, m=50} round 0", "a message of round 0 after one of round 1" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 2", "round 2 of 2" },
	{ "%x", "%x : f32[2x2] masked 50.12 input = step.input {id=1, count=4, m=50} round 1", "nothing is sent in round 0" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}}", "the step says shared=0, its operands are shared" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, shared=1}", "the result is masked, the operands of a local step are shared" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o, %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, cb=1, shared=1}", "a local step on 'o', which is masked, and a shared value" },
	{ "%l", "%l : f32[2x2] shared 50.24 slot 16 = step.lin %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, shared=1}", "'l' is shared, expected masked" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.open %p {id=4, count=4, n=50, m=50} round 1", "'p' is opened twice" },
	{ "%l", "%l : f32[2x2] shared 50.24 slot 16 = step.mul %o, %p {id=4, count=4, n=50, m=50, map={dim=[4], so=[1], sa=[1], sb=[1]}}", "operand 'p' is shared, expected masked" },
	{ "%l", "%l : f32[2x2] shared 50.24 slot 16 = step.mul %o, %x {id=4, count=4, n=50, m=50, pad_a=1, map={dim=[4], so=[1], sa=[1], sb=[1]}}", "the mask of 'o' is not the pad of step 1" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = add %o, %o", "is not an operation of stage SCHED" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[4], so=[1], sa=[1], sb=[1], a0=1}}", "the map leaves the operand 'o'" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[4], so=[1], sa=[-1], sb=[1], a0=2}}", "the map leaves the operand 'o'" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[2,2], so=[1,2], sa=[2,-1], sb=[1,0], a0=1}}", NULL },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[2,2], so=[1,1], sa=[1,1], sb=[1,1]}}", "the map does not write each element of 'l' once" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[3], so=[1], sa=[1], sb=[1]}}", "the map does not write each element of 'l' once" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[4], so=[2], sa=[1], sb=[1]}}", "the map leaves the result 'l'" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1}", "needs a map" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.tril %o {id=4, count=4, n=50, m=50, c=2, rows={count=2, first=1, inc=1, period=2, level=0}}", "rows of 3 elements do not fit operands of 4 and 0 and a result of 4" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.row_sum %o {id=4, count=4, n=50, m=50, rows={count=9999999999, first=1, inc=0, period=1, level=0}}", "needs rows that fit its operands" },
	{ "%l", "%l : f32[2x2] shared 1.0 slot 16 = step.lt %o {id=4, count=4, n=50, m=1, b=51}", "n=50, m=1, s=0, b=51 and a table of 0 entries do not go together" },
	{ "%l", "%l : f32[2x2] shared 38.12 slot 16 = step.trunc %o, %o {id=4, count=4, n=50, m=38, s=12, b=12}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 60.12 slot 16 = step.sext %o, %o {id=4, count=4, n=50, m=60, b=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.select %o, %o {id=4, count=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.lutsign %o, %o {id=4, count=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.lin4 %o, %o, %o {id=4, count=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.bitdot %o {id=4, count=4, na=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.pieces %o, %o {id=4, count=4, na=4, nb=4, n=50, m=50, b=1}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 38.12 slot 16 = step.trunc %o, %o {id=4, count=4, n=50, m=38, s=49, b=49, slack=1}", "n=50, m=38, s=49" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 8 = step.matmul %x, %w {id=2, count=4, n=50, m=50, weight_b=1, mm={batch=1, bh=1, rows=2, inner=3, cols=2, sa=[0,0,3,1], sb=[0,0,2,1]}}", "the product leaves the operand 'w'" },
	{ "const", "const %w : i64[2x2] weight 50.12 slot 3 = 1 2 3 4", "the weight 'w' has the number 3, expected 0" },
	{ "%l", "%l : f32[2x2] masked 38.12 slot 16 = step.shift %o {id=4, count=4, na=4, n=50, m=38, s=12}\n%k : f32[2x2] masked 50.24 slot 24 = step.lin %o {id=6, count=4, na=4, n=50, m=50, ca=1, map={dim=[4], so=[1], sa=[1], sb=[1]}}",
	        "n=50, 'l' has 38 ring bits" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.shift %o {id=4, count=4, n=50, m=50}", "n=50, m=50, s=0" },
	{ "%l", "%l : f32[2x2] masked 39.12 slot 16 = step.shift %o {id=4, count=4, n=50, m=39, s=12}", "n=50, m=39, s=12" },
	{ "%l", "%l : f32[2x2] shared 38.12 slot 16 = step.shift %o {id=4, count=4, n=50, m=38, s=12}", "the result 'l' is shared, expected masked" },
	{ "%l", "%l : f32[2x2] masked 38.12 slot 16 = step.shift %p {id=4, count=4, n=50, m=38, s=12}", "operand 'p' is shared, expected masked" },
	{ "%l", "%l : f32[2x2] masked 38.12 slot 16 = step.shift %w {id=4, count=4, n=50, m=38, s=12}", "operand 'w' is weight, expected masked" },
	{ "%l", "%l : f32[1x2] masked 38.12 slot 16 = step.shift %o {id=4, count=2, n=50, m=38, s=12}", "'o' has 4 elements, the result has 2" },
	{ "%o", ADDX("50.24", "%p, %x", "m=50, shared=1, ca=1, cb=4", "dim=[4], so=[1], sa=[1], sb=[1]"), NULL },
	{ "%o", ADDX("50.24", "%x, %x", "m=50, shared=1, ca=1, cb=4", "dim=[4], so=[1], sa=[1], sb=[1]"), "operand 'x' is masked, expected shared" },
	{ "%o", ADDX("50.24", "%p, %w", "m=50, shared=1, ca=1, cb=4", "dim=[4], so=[1], sa=[1], sb=[1]"), "operand 'w' is weight, expected masked" },
	{ "%o", ADDX("50.24", "%p, %p", "m=50, shared=1, ca=1, cb=4", "dim=[4], so=[1], sa=[1], sb=[1]"), "operand 'p' is shared, expected masked" },
	{ "%o", ADDX("50.24", "%p, %x", "m=50, ca=1, cb=4", "dim=[4], so=[1], sa=[1], sb=[1]"), "the step says shared=0, its result is shared" },
	{ "%o", ADDX("52.24", "%p, %x", "m=52, shared=1, ca=-12, cb=6", "dim=[4], so=[1], sa=[1], sb=[1]"), "'x' has 50 bits, a multiple by 6 in 52 bits needs 51" },
	{ "%o", ADDX("52.24", "%p, %x", "m=52, shared=1, ca=2, cb=0", "dim=[4], so=[1], sa=[1], sb=[1]"), "'p' has 50 bits, a multiple by 2 in 52 bits needs 51" },
	{ "%o", ADDX("50.24", "%p, %x", "m=50, shared=1, ca=1, cb=4", "dim=[2,2], so=[2,1], sa=[0,1], sb=[0,1]"), "the map does not read each element of 'p' once" },
	{ "%o", ADDX("50.24", "%p, %x", "m=50, shared=1, ca=1, cb=4", "dim=[2,2], so=[2,1], sa=[1,2], sb=[0,1]"), NULL },
	{ "%o", ADDX("50.24", "%p, %x", "m=50, shared=1, ca=1, cb=4", "dim=[4], so=[1], sa=[1], sb=[2]"), "the map leaves the operand 'x'" },
	{ "%o", ADDX("50.24", "%p, %x", "m=50, shared=1, ca=1, cb=4", "dim=[4], so=[1], sa=[1], sb=[1]") "\n%q : f32[2x2] masked 50.24 slot 8 = step.open %p {id=7, count=4, n=50, m=50} round 1", "'p' is opened twice" },
	{ "%o", "%q : f32[2x2] shared 40.24 slot 24 = step.lin %p {id=6, count=4, na=4, n=50, m=40, shared=1, ca=1, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	        "%r : f32[2x2] masked 20.4 slot 24 = step.open %q {id=7, count=4, n=40, m=20, s=20, round_half=1} round 1\n"
	        "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 1", "'p' is opened twice" },
	{ "%l", PRODUCT("%o, %x", "pad_a=2"), NULL },
	{ "%l", PRODUCT("%o, %x", "pad_a=2, define_last=1"), NULL },
	{ "%l", PRODUCT("%x, %o", "pad_b=2"), NULL },
	{ "%l", PRODUCT("%x, %o", "pad_a=1"), "the mask of 'x' is not the pad of step 1" },
	{ "%l", PRODUCT("%o, %x", "pad_a=3"), "the mask of 'o' is not the pad of step 3" },
};

/* Pads that are reached through views: of what a product of 4 elements was opened, cut to 40 bits, another shape. */
static const char pads_good[] =
	"sufc-ir 1\nprogram \"m\" stage SCHED next_id 12\n"
	"%x : f32[2x2] masked 38.12 input = step.input {id=1, count=4, m=38}\n"
	"%e : f32[2x2] shared 50.12 = step.gapext %x {id=2, count=4, n=38, m=50}\n"
	"%c : f32[2x2] shared 44.12 = step.lin %e {id=3, count=4, na=4, n=50, m=44, shared=1, ca=1, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	"%o : f32[2x2] masked 44.12 = step.open %c {id=4, count=4, n=44, m=44}\n"
	"value %v : f32[4x1] masked 44.12 alias %o\n"
	"%d : f32[4x1] masked 40.12 = step.lin %v {id=5, count=4, na=4, n=44, m=40, ca=1, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	"%p : f32[4x1] shared 40.24 = step.mul %d, %d {id=6, count=4, na=4, nb=4, n=40, m=40, define_last=1, pad_a=2, pad_b=2, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	"%q : f32[4x1] masked 28.12 = step.open %p {id=7, count=4, n=40, m=28, s=12, round_half=1}\n"
	"%r : f32[4x1] shared 28.24 = step.mul %q, %q {id=8, count=4, na=4, nb=4, n=28, m=28, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	"%s : f32[4x1] masked 28.24 = step.open %r {id=9, count=4, n=28, m=28}\n"
	"step.output %s {id=10, count=4, n=28}\n"
	"input %x\n"
	"output %s\n";
#define CUT(more, map) "%d : f32[4x1] masked 40.12 = step.lin %v {id=5, count=4, na=4, n=44, m=40, " more ", map={" map "}}"
#define PADDED(form, of, more) "%r : f32[4x1] shared " form " = step.mul " of " {id=8, count=4, na=4, nb=4, " more ", map={dim=[4], so=[1], sa=[1], sb=[1]}}"
static const struct edit pads_edit[] = {
	{ NULL, NULL, NULL },
	{ "%d", CUT("ca=3", "dim=[4], so=[1], sa=[1], sb=[1]"), "the mask of 'd' is not the pad of step 2" },
	{ "%d", CUT("ca=1, c=1", "dim=[4], so=[1], sa=[1], sb=[1]"), "the mask of 'd' is not the pad of step 2" },
	{ "%d", CUT("ca=1", "dim=[4], so=[1], sa=[-1], sb=[1], a0=3"), "the mask of 'd' is not the pad of step 2" },
	{ "%d", CUT("ca=1", "dim=[2,2], so=[2,1], sa=[1,2], sb=[0,0]"), "the mask of 'd' is not the pad of step 2" },
	{ "%d", CUT("ca=1", "dim=[2,2], so=[1,2], sa=[1,2], sb=[0,0]"), NULL },
	{ "%d", "%d : f32[4x1] masked 40.12 = step.shift %v {id=5, count=4, na=4, n=44, m=40, s=4}", "the mask of 'd' is not the pad of step 2" },
	{ "%c", "%c : f32[2x2] shared 44.12 = step.addx %e, %x {id=3, count=4, na=4, nb=4, n=50, m=44, shared=1, ca=1, cb=64, map={dim=[4], so=[1], sa=[1], sb=[1]}}",
	        "the mask of 'd' is not the pad of step 2" },
	{ "%r", PADDED("28.24", "%q, %q", "n=28, m=28, pad_a=6"), "the mask of 'q' is not the pad of step 6" },
	{ "%p", "%p : f32[4x1] shared 40.24 = step.mul %d, %o {id=6, count=4, na=4, nb=4, n=40, m=40, define_last=1, pad_a=2, pad_b=2, map={dim=[4], so=[1], sa=[1], sb=[1]}}",
	        "the pads of step 2 are the mask of 'o' mod 2^44, the product is one mod 2^40" },
	{ "%q", "%q : f32[4x1] masked 28.12 = step.open %p {id=7, count=4, n=40, m=28, s=13, round_half=1}", "opens 28 bits and drops 13 of 'p', which has 40" },
	{ "%q", "%q : f32[4x1] masked 28.12 = step.open %p {id=7, count=4, n=40, m=28, s=3, round_half=1}", NULL },
};

/* A packed triangle of 3 rows, 4 elements with their zeros, and its product. */
static const char packed_good[] =
	"sufc-ir 1\nprogram \"m\" stage SCHED next_id 12\n"
	"%x : f32[9] masked 50.12 input = step.input {id=1, count=9, m=50}\n"
	"%y : f32[4x2] masked 50.12 input = step.input {id=2, count=8, m=50}\n"
	"%p : f32[3x2] shared 50.24 = step.matmul %x, %y {id=3, count=6, na=9, nb=8, n=50, m=50, c=4, mm={batch=1, bh=1, rows=3, inner=4, cols=2, sa=[0,0,4,1], sb=[0,0,2,1]}, rows={count=3, first=2, inc=1, period=3}}\n"
	"%o : f32[3x2] masked 50.24 = step.open %p {id=4, count=6, n=50, m=50}\n"
	"step.output %o {id=5, count=6, n=50}\n"
	"input %x, %y\n"
	"output %o\n";
#define PACKED(more, inner, rows) "%p : f32[3x2] shared 50.24 = step.matmul %x, %y {id=3, count=6, " more ", nb=8, n=50, m=50, mm={batch=1, bh=1, rows=3, " \
	inner ", cols=2, sa=[0,0,4,1], sb=[0,0,2,1]}, rows={" rows "}}"
static const struct edit packed_edit[] = {
	{ NULL, NULL, NULL },
	{ "%p", PACKED("na=9, c=3", "inner=4", "count=3, first=2, inc=1, period=3"), "rows of 'x', of 3 elements with their zeros, do not fit it" },
	{ "%p", PACKED("na=9, c=5", "inner=4", "count=3, first=2, inc=1, period=3"), "rows of 'x', of 5 elements with their zeros, do not fit it" },
	{ "%p", PACKED("na=9", "inner=4", "count=3, first=2, inc=1, period=3"), "rows of 'x', of 0 elements with their zeros, do not fit it" },
	{ "%p", PACKED("c=4", "inner=4", "count=3, first=2, inc=1, period=3"), "rows of 'x', of 4 elements with their zeros, do not fit it" },
	{ "%p", PACKED("na=9, c=4", "inner=4", "count=3, first=1, inc=1, period=3"), "rows of 'x', of 4 elements with their zeros, do not fit it" },
	{ "%p", PACKED("na=9, c=4", "inner=4", "count=3, first=2, inc=1"), "rows of 'x', of 4 elements with their zeros, do not fit it" },
	{ "%p", PACKED("na=9, c=4", "inner=4", "count=9999999999, first=2, inc=1, period=3"), "rows of 'x', of 4 elements with their zeros, do not fit it" },
	{ "%p", "%p : f32[3x2] shared 50.24 = step.matmul %x, %y {id=3, count=6, na=9, nb=8, n=50, m=50, c=4, mm={batch=1, bh=1, rows=3, inner=4, cols=2, sa=[0,0,5,1], sb=[0,0,2,1]}, rows={count=3, first=2, inc=1, period=3}}",
	        "the product leaves the operand 'x'" },
};

/* Products with public weights: of a masked value, of a share that is opened beside it, of weights one by one. */
#define MM "mm={batch=1, bh=1, rows=2, inner=2, cols=2, sa=[0,0,2,1], sb=[0,0,2,1]}"
#define MAP "map={dim=[4], so=[1], sa=[1], sb=[1]}"
static const char public_good[] =
	"sufc-ir 1\nprogram \"m\" stage SCHED next_id 12 weights public rounds 2 wire 64\n"
	"const %w : i64[2x2] weight 50.12 = 1 2 3 4\n"
	"const %b : i64[2] weight 50.12 slot 1 = 1 2\n"
	"%x : f32[2x2] masked 38.12 slot 0 input = step.input {id=1, count=4, m=38} round 0\n"
	"%g : f32[2x2] shared 50.12 slot 8 = step.gapext %x {id=2, count=4, na=4, n=38, m=50}\n"
	"%p : f32[2x2] shared 50.24 slot 16 = step.wshare %g, %w, %b {id=3, count=4, na=4, nb=4, n=50, m=50, define_last=1, " MM "}\n"
	"%og : f32[2x2] masked 50.12 slot 8 = step.open %g {id=4, count=4, n=50, m=50} round 1\n"
	"%op : f32[2x2] masked 50.24 slot 16 = step.open %p {id=5, count=4, n=50, m=50} round 1\n"
	"%y : f32[2x2] masked 50.24 slot 24 = step.wmul %og, %w, %b {id=6, count=4, na=4, nb=4, n=50, m=50, " MM "}\n"
	"%z : f32[2x2] masked 50.24 slot 32 = step.wscale %op, %w {id=7, count=4, na=4, nb=4, n=50, m=50, " MAP "}\n"
	"%l : f32[2x2] masked 50.24 slot 40 = step.lin %y, %z {id=8, count=4, na=4, nb=4, n=50, m=50, ca=1, cb=1, " MAP "}\n"
	"step.output %l {id=9, count=4, n=50}\n"
	"input %x\n"
	"output %l\n";
#define WMUL "%y : f32[2x2] masked 50.24 slot 24 = step.wmul "
#define WSCALE "%z : f32[2x2] masked 50.24 slot 32 = step.wscale "
#define WSHARE "%p : f32[2x2] shared 50.24 slot 16 = step.wshare "
static const struct edit public_edit[] = {
	{ NULL, NULL, NULL },
	{ "program", "program \"m\" stage SCHED next_id 12 rounds 2 wire 64", "a product with weights of setting public in a program of setting masked" },
	{ "%y", WMUL "%og, %op {id=6, count=4, na=4, nb=4, n=50, m=50, " MM "}", "operand 'op' is masked of 50 bits, expected weight of 50 or more" },
	{ "%y", WMUL "%w, %w {id=6, count=4, na=4, nb=4, n=50, m=50, " MM "}", "'w' is weight, expected masked" },
	{ "%y", WMUL "%og, %w, %og {id=6, count=4, na=4, nb=4, n=50, m=50, " MM "}", "operand 'og' is masked of 50 bits, expected weight" },
	{ "%y", WMUL "%og, %w, %w {id=6, count=4, na=4, nb=4, n=50, m=50, " MM "}", "the bias 'w' has 4 elements, expected 2" },
	{ "%y", WMUL "%og, %b {id=6, count=4, na=4, nb=2, n=50, m=50, " MM "}", "the product leaves the operand 'b'" },
	{ "%y", WMUL "%og {id=6, count=4, na=4, n=50, m=50, " MM "}", "1 operands, expected 2 or more, at most 3" },
	{ "%y", WMUL "%og, %w {id=6, count=4, na=4, nb=4, n=50, m=50}", "needs the sizes of a matrix product" },
	{ "%y", WMUL "%og, %w {id=6, count=4, na=4, nb=4, n=50, m=50, c=2, rows={count=2, first=2, inc=0, period=1, level=0}, " MM "}", "do not fit it and the product" },
	{ "%y", WMUL "%og, %w {id=6, count=4, na=4, nb=4, n=50, m=50, define_last=1, " MM "}", "define_last=1" },
	{ "%y", "%y : f32[2x2] masked 51.24 slot 24 = step.wmul %og, %w {id=6, count=4, na=4, nb=4, n=50, m=51, " MM "}", "a product of 51 bits from an operand of 50" },
	{ "%y", "%y : f32[2x2] shared 50.24 slot 24 = step.wmul %og, %w {id=6, count=4, na=4, nb=4, n=50, m=50, " MM "}", "'y' is shared, expected masked" },
	{ "const %b", "const %b : i64[2] weight 49.12 slot 1 = 1 2", "operand 'b' is weight of 49 bits, expected weight of 50 or more" },
	{ "%z", WSCALE "%op, %b {id=7, count=4, na=4, nb=2, n=50, m=50, " MAP "}", "the map leaves the operand 'b'" },
	{ "%z", WSCALE "%op, %w {id=7, count=4, na=4, nb=4, n=50, m=50, map={dim=[3], so=[1], sa=[1], sb=[1]}}", "the map does not write each element of 'z' once" },
	{ "%z", WSCALE "%op, %w {id=7, count=4, na=4, nb=4, n=50, m=50, map={dim=[4], so=[1], sa=[2], sb=[1]}}", "the map leaves the operand 'op'" },
	{ "%p", WSHARE "%x, %w, %b {id=3, count=4, na=4, nb=4, n=38, m=38, define_last=1, " MM "}", "operand 'x' is masked, expected shared" },
	{ "%p", WSHARE "%g, %w, %b {id=3, count=4, na=4, nb=4, n=50, m=50, " MM "}", "define_last=0" },
	{ "%p", WSHARE "%g, %g {id=3, count=4, na=4, nb=4, n=50, m=50, define_last=1, " MM "}", "operand 'g' is shared, expected masked" },
	/* the mask is more than the pads: no mask shares, no opening without them */
	{ "%z", "%z : f32[2x2] shared 50.24 slot 32 = step.mul %op, %op {id=7, count=4, na=4, nb=4, n=50, m=50, pad_a=3, " MAP "}", "the mask of 'op' is not the pad of step 3" },
	{ "%op", "%op : f32[2x2] masked 40.24 slot 16 = step.open %p {id=5, count=4, n=50, m=40, s=10, pad_a=3} round 1", "drops bits of both pads of 'p', but step 3" },
};

/* Weights of party 0: a product by pads, sent before the input is there; the opened value, which party 0 alone learns; its factors. */
static const char owner_good[] =
	"sufc-ir 1\nprogram \"m\" stage SCHED next_id 12 weights owner rounds 4 wire 64\n"
	"const %w : i64[2x2] weight 50.12 = 1 2 3 4\n"
	"const %b : i64[2] weight 50.12 slot 1 = 1 2\n"
	"%x : f32[2x2] masked 38.12 slot 0 input = step.input {id=1, count=4, m=38} round 0\n"
	"%g : f32[2x2] shared 50.12 slot 8 = step.gapext %x {id=2, count=4, na=4, n=38, m=50}\n"
	"%og : f32[2x2] masked 50.12 slot 8 = step.open %g {id=3, count=4, n=50, m=50, one_way=1} round 1\n"
	"%p : f32[2x2] shared 50.24 slot 16 = step.omul %og, %w, %b {id=4, count=4, na=4, nb=4, n=50, m=50, define_last=1, offline=1, pad_a=2, " MM "}\n"
	"%op : f32[2x2] masked 50.24 slot 16 = step.open %p {id=5, count=4, n=50, m=50, offline=1} round 2\n"
	"%z : f32[2x2] shared 50.24 slot 24 = step.oscale %op, %w {id=6, count=4, na=4, nb=4, n=50, m=50, define_last=1, " MAP "}\n"
	"%oz : f32[2x2] masked 50.24 slot 24 = step.open %z {id=7, count=4, n=50, m=50} round 3\n"
	"step.output %oz {id=8, count=4, n=50}\n"
	"input %x\n"
	"output %oz\n";
#define OMUL(of, more) "%p : f32[2x2] shared 50.24 slot 16 = step.omul " of " {id=4, count=4, na=4, n=50, m=50, " more "}"
#define OSCALE(of, more) "%z : f32[2x2] shared 50.24 slot 24 = step.oscale " of " {id=6, count=4, na=4, n=50, m=50, " more "}"
static const struct edit owner_edit[] = {
	{ NULL, NULL, NULL },
	{ "program", "program \"m\" stage SCHED next_id 12 rounds 4 wire 64", "a product with weights of setting owner in a program of setting masked" },
	{ "program", "program \"m\" stage SCHED next_id 12 weights public rounds 4 wire 64", "a product with weights of setting owner in a program of setting public" },
	{ "%p", "%p : f32[2x2] masked 50.24 slot 16 = step.wmul %og, %w {id=4, count=4, na=4, nb=4, n=50, m=50, " MM "}", "a product with weights of setting public in a program of setting owner" },
	{ "%p", OMUL("%g, %w", "nb=4, define_last=1, " MM), "operand 'g' is shared, expected masked" },
	{ "%p", OMUL("%w, %w", "nb=4, define_last=1, " MM), "operand 'w' is weight, expected masked" },
	{ "%p", OMUL("%og, %og", "nb=4, define_last=1, " MM), "operand 'og' is masked of 50 bits, expected weight of 50 or more" },
	{ "%p", OMUL("%og, %w, %og", "nb=4, define_last=1, " MM), "operand 'og' is masked of 50 bits, expected weight" },
	{ "%p", OMUL("%og, %w, %w", "nb=4, define_last=1, " MM), "the bias 'w' has 4 elements, expected 2" },
	{ "%p", OMUL("%og, %b", "nb=2, define_last=1, " MM), "the product leaves the operand 'b'" },
	{ "%p", OMUL("%og", "define_last=1, " MM), "1 operands, expected 2 or more, at most 3" },
	{ "%p", OMUL("%og, %w", "nb=4, define_last=1"), "needs the sizes of a matrix product" },
	{ "%p", OMUL("%og, %w", "nb=4, define_last=1, c=2, rows={count=2, first=2, inc=0, period=1, level=0}, " MM), "do not fit it and the product" },
	{ "%p", OMUL("%og, %w, %b", "nb=4, " MM), "define_last=0" },
	{ "%p", OMUL("%og, %w, %b", "nb=4, define_last=1, one_way=1, " MM), "one_way, but only an opening can be" },
	{ "%p", OMUL("%og, %w, %b", "nb=4, define_last=1, pad_a=1, " MM), "the mask of 'og' is not the pad of step 1" },
	{ "%p", OMUL("%x, %w, %b", "nb=4, define_last=1, " MM), "n=50, 'x' has 38 ring bits" },
	{ "%p", "%p : f32[2x2] masked 50.24 slot 16 = step.omul %og, %w {id=4, count=4, na=4, nb=4, n=50, m=50, define_last=1, " MM "}", "'p' is masked, expected shared" },
	{ "%p", "%p : f32[2x2] shared 51.24 slot 16 = step.omul %og, %w {id=4, count=4, na=4, nb=4, n=50, m=51, define_last=1, " MM "}", "a product of 51 bits from an operand of 50" },
	{ "%p", "%p : f32[2x2] shared 40.24 slot 16 = step.omul %og, %w {id=4, count=4, na=4, nb=4, n=50, m=40, define_last=1, " MM "}", "the pad of 'p' has 4 elements of 50 bits, the value 4 of 40" },
	{ "const %b", "const %b : i64[2] weight 49.12 slot 1 = 1 2", "operand 'b' is weight of 49 bits, expected weight of 50 or more" },
	{ "%z", OSCALE("%op, %b", "nb=2, define_last=1, " MAP), "the map leaves the operand 'b'" },
	{ "%z", OSCALE("%op, %w", "nb=4, define_last=1, map={dim=[3], so=[1], sa=[1], sb=[1]}"), "the map does not write each element of 'z' once" },
	{ "%z", OSCALE("%op, %w", "nb=4, define_last=1, map={dim=[4], so=[1], sa=[2], sb=[1]}"), "the map leaves the operand 'op'" },
	{ "%z", OSCALE("%op, %w, %b", "nb=4, define_last=1, " MAP), "3 operands, expected 2" },
	{ "%z", OSCALE("%op, %w", "nb=4, " MAP), "define_last=0" },
	/* the mask is more than the pads: no mask shares, no opening without them */
	{ "%z", OSCALE("%op, %w", "nb=4, define_last=1, pad_a=4, " MAP), "the mask of 'op' is not the pad of step 4" },
	{ "%op", "%op : f32[2x2] masked 40.24 slot 16 = step.open %p {id=5, count=4, n=50, m=40, s=10, pad_a=4} round 2", "drops bits of both pads of 'p', but step 4" },
};

static char *
edited(const char *good, const struct edit *e)
{
	char *s = calloc(1, strlen(good) + 1024), *to = s;
	for (const char *line = good; *line;) {
		size_t len = strcspn(line, "\n") + 1;
		if (e->line && !strncmp(line, e->line, strlen(e->line)) && line[strlen(e->line)] == ' ')
			to += sprintf(to, "%s\n", e->instead);
		else {
			memcpy(to, line, len);
			to += len;
		}
		line += len;
	}
	return s;
}

static void
try_edits(const char *good, const struct edit *e, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		struct text t;
		text_open(&t);
		struct diag *d = diag_new(t.f, false);
		char *s = edited(good, &e[k]);
		struct prog *p = text_parse(s, d);
		bool ok = p && ir_check(p, p->stage);
		ir_free(p);
		diag_free(d);
		fclose(t.f);
		if (!p || ok != !e[k].message || (e[k].message && !strstr(t.s, e[k].message)))
			fail_msg("%s\n%s\nexpected: %s", s, t.s, e[k].message ? e[k].message : "no error");
		free(t.s);
		free(s);
	}
}

static void
checker_names_each_fault(void **state)
{
	(void)state;
	try_edits(float_good, float_edit, sizeof float_edit / sizeof float_edit[0]);
	try_edits(ring_good, ring_edit, sizeof ring_edit / sizeof ring_edit[0]);
	try_edits(sched_good, sched_edit, sizeof sched_edit / sizeof sched_edit[0]);
	try_edits(pads_good, pads_edit, sizeof pads_edit / sizeof pads_edit[0]);
	try_edits(packed_good, packed_edit, sizeof packed_edit / sizeof packed_edit[0]);
	try_edits(public_good, public_edit, sizeof public_edit / sizeof public_edit[0]);
	try_edits(owner_good, owner_edit, sizeof owner_edit / sizeof owner_edit[0]);
}

static void
checker_sees_broken_structure(void **state)
{
	(void)state;
	struct text t;
	text_open(&t);
	struct diag *d = diag_new(t.f, false);
	struct prog *p = text_parse(float_good, d);
	struct node *last = p->last;
	ir_move_before(p, last, p->first);
	assert_false(ir_check(p, STAGE_FLOAT));
	ir_move_before(p, last, NULL);
	assert_true(ir_check(p, STAGE_FLOAT));
	last->in[0]->nuse++;
	assert_false(ir_check(p, STAGE_FLOAT));
	last->in[0]->nuse--;
	last->in[0]->name = "x";
	assert_false(ir_check(p, STAGE_FLOAT));
	last->in[0]->name = "s";
	assert_false(ir_check(p, STAGE_RING));
	diag_free(d);
	fclose(t.f);
	assert_non_null(strstr(t.s, "before its definition"));
	assert_non_null(strstr(t.s, "'s' has 2 uses, 3 are counted"));
	assert_non_null(strstr(t.s, "two values are called 'x'"));
	assert_non_null(strstr(t.s, "at stage FLOAT, expected RING"));
	free(t.s);
	ir_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checker_names_each_fault), cmocka_unit_test(checker_sees_broken_structure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
