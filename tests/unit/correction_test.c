/* SPDX-License-Identifier: Apache-2.0
 * correction_test.c -- rule R3 of docs/security.md in the dealer's code: no key material of a step depends on the pads of that step's
 * own results.  The dealer deals each step once more with other pads (the linker puts a switch before prg_stream) and has to write
 * the same bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "key.h"
#include "step_harness.h"
#include "view_programs.h"
#include <cmocka.h>

void __real_prg_stream(enum suf_isa, const struct prg_stream_key *, uint32_t, uint32_t, uint64_t, size_t, unsigned, uint64_t *);
void __wrap_prg_stream(enum suf_isa, const struct prg_stream_key *, uint32_t, uint32_t, uint64_t, size_t, unsigned, uint64_t *);
enum suf_err __real_suf_step(struct suf_run *, const struct suf_step *);
enum suf_err __wrap_suf_step(struct suf_run *, const struct suf_step *);

enum { TAG_PART = 1, TAG_PAD = 0x100, TAG_END = 0x200 };
static struct { uint32_t id, first, end; } other;    /* streams of a step whose words are others; id 0: none */
static uint64_t changed;                              /* words */
static unsigned steps, unlike;                        /* dealt twice; with other bytes */
static uint32_t first_tag = TAG_PAD;
static bool dealt[SUF_NSTEP];

void
__wrap_prg_stream(enum suf_isa isa, const struct prg_stream_key *key, uint32_t id, uint32_t tag, uint64_t first, size_t count, unsigned bits, uint64_t *out)
{
	__real_prg_stream(isa, key, id, tag, first, count, bits, out);
	if (id != other.id || tag < other.first || tag >= other.end)
		return;
	for (size_t i = 0; i < count; i++)
		out[i] = (out[i] + 1 + i % 2) & ring_mask(bits);
	changed += count;
}

/* What the step writes with other pads; the run is as before. */
static void
deal_again(struct suf_run *r, const struct suf_step *s, struct suf_sink *to[2])
{
	struct suf_sink *was[2] = { r->sink[0], r->sink[1] };
	const uint64_t calls = r->aes_calls;
	for (int p = 0; p < 2; p++) {
		assert_int_equal(suf_sink_memory(&to[p]), SUF_OK);
		r->sink[p] = to[p];
	}
	other.id = s->id, other.first = first_tag, other.end = TAG_END;
	assert_int_equal(suf_step_impl[s->op]->deal(r, s), SUF_OK);
	other.id = 0;
	for (int p = 0; p < 2; p++) {
		assert_int_equal(suf_sinks_flush(&to[p], 1, 1), SUF_OK);
		r->sink[p] = was[p];
	}
	r->aes_calls = calls;
}

enum suf_err
__wrap_suf_step(struct suf_run *r, const struct suf_step *s)
{
	struct suf_sink *again[2];
	uint64_t before[2];
	if (r->mode != RUN_DEAL || suf_step_desc[s->op].form != FORM_SHARED)
		return __real_suf_step(r, s);
	deal_again(r, s, again);
	for (int p = 0; p < 2; p++)
		before[p] = suf_sink_bytes(r->sink[p]);
	const enum suf_err e = __real_suf_step(r, s);
	bool same = true;
	for (int p = 0; p < 2; p++) {
		assert_int_equal(suf_sinks_flush(&r->sink[p], 1, 1), SUF_OK);
		const uint64_t bytes = suf_sink_bytes(r->sink[p]) - before[p];
		same &= bytes == suf_sink_bytes(again[p]) && (!bytes || !memcmp(suf_sink_data(r->sink[p]) + before[p], suf_sink_data(again[p]), (size_t)bytes));
		assert_int_equal(suf_sink_finish(again[p], false), SUF_OK);
	}
	if (!same && first_tag == TAG_PAD)
		print_error("step %u (%s): key material depends on the pads of its result\n", s->id, suf_step_desc[s->op].name);
	steps++;
	unlike += !same;
	dealt[s->op] = true;
	return e;
}

static void
run_all(uint32_t tag)
{
	first_tag = tag;
	steps = unlike = 0;
	changed = 0;
	for (int k = 0; k < VIEW_PROGRAMS; k++) {
		struct harness h;
		harness_init(&h);
		view_secrets((uint64_t)k);
		view_program[k].make(&h, SUF_BLOCK + 8);
		harness_run(&h);
		harness_free(&h);
	}
}

static void
corrections_know_no_pads(void **state)
{
	(void)state;
	run_all(TAG_PAD);
	assert_true(steps > VIEW_PROGRAMS && changed > SUF_BLOCK);
	assert_int_equal(unlike, 0);
	for (int k = 0; k < SUF_NPART; k++)
		if (suf_part_desc[k].kind != KIND_MASK && !dealt[suf_part_desc[k].step])
			fail_msg("no program has a step %s", suf_step_desc[suf_part_desc[k].step].name);
}

/* Other words of parts do make other bytes. */
static void
it_sees(void **state)
{
	(void)state;
	run_all(TAG_PART);
	assert_true(unlike > VIEW_PROGRAMS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(corrections_know_no_pads), cmocka_unit_test(it_sees) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
