/* SPDX-License-Identifier: Apache-2.0
 * options.c -- the options of compilation, shared by all commands, and loading of models.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "frontend/cmd.h"
#include "frontend/onnx.h"
#include "passes/choose.h"
#include "passes/predict.h"

enum { KEY_SHAPE = 0x100, KEY_DIM, KEY_WEIGHTS, KEY_OUTPUT_TO, KEY_GATES, KEY_RING, KEY_FRAC, KEY_CALIBRATE, KEY_DUMP, KEY_STOP, KEY_DIAG, KEY_ARGMAX, KEY_NO_WEIGHTS,
       KEY_TARGET, KEY_DESCRIPTOR, KEY_OBJECTIVE, KEY_NETWORK, KEY_MACHINE, KEY_MAX_ERROR, KEY_LATER };

static const struct argp_option options[] = {
	{ "shape", KEY_SHAPE, "NAME=1x128", 0, "Bind the shape of an input (repeatable)", 1 },
	{ "dim", KEY_DIM, "SYMBOL=128", 0, "Bind a symbolic dimension (repeatable)", 1 },
	{ "weights", KEY_WEIGHTS, "SETTING", 0, "Who may know the weights: masked (neither party; default), owner (party 0) or public (everybody, the dealer too; the input alone is private)", 2 },
	{ "output-to", KEY_OUTPUT_TO, "PARTY", 0, "Who gets the outputs: 0, 1 or both; default 1", 2 },
	{ "gates", KEY_GATES, "SET", 0, "Gate set (--list-gates), auto (default), or a file that says which gate does what (docs/costs.md)", 2 },
	{ "descriptor", KEY_DESCRIPTOR, "FILE", 0, "A function that the model uses, as sufc fit writes it (docs/suf.md; repeatable)", 2 },
	{ "objective", KEY_OBJECTIVE, "WHAT", 0, "What --gates=auto makes least: time (default), comm, key or rounds", 2 },
	{ "network", KEY_NETWORK, "NET", 0, "Network of predicted times: lan (default; 10 Gbit/s, 0.5 ms), wan (400 Mbit/s, 40 ms), loopback or GBPS,RTT_MS", 2 },
	{ "machine", KEY_MACHINE, "FILE.json", 0, "Constants of calibrate-machine for predicted times; default ~/.cache/sufc/machine.json", 2 },
	{ "calibrate", KEY_CALIBRATE, "FILE.npz", 0, "Example inputs that bound values the graph does not bound", 3 },
	{ "max-error", KEY_MAX_ERROR, "E", 0, "Fraction bits for which outputs differ from float by at most E, relative, on the examples of --calibrate, at least cost", 3 },
	{ "ring-bits", KEY_RING, "N", 0, "Force one ring width, 16 to 64", 3 },
	{ "frac-bits", KEY_FRAC, "F", 0, "Force the fraction bits, 4 to 24; default 12", 3 },
	{ "no-weights", KEY_NO_WEIGHTS, NULL, 0, "For costs (--report): weights whose data file is missing count by their shape; needs --ring-bits", 3 },
	{ "argmax", KEY_ARGMAX, NULL, 0, "Give the index of the largest element of each output instead of the output", 3 },
	{ "target", KEY_TARGET, "TARGET", 0, "cpu", 3 },
	{ "dump", KEY_DUMP, "PASS", 0, "Print the program after this pass", 4 },
	{ "stop-after", KEY_STOP, "PASS", 0, "Stop after this pass", 4 },
	{ "diagnostics", KEY_DIAG, "text|json", 0, "Form of errors and warnings on standard error", 4 },
	{ "verbose", 'v', NULL, 0, "Say what each pass does and how long it takes", 4 },
	{ "quiet", 'q', NULL, 0, "No warnings", 4 },
	{ "public", KEY_LATER, "NAME", OPTION_HIDDEN, NULL, 0 },
	{ "batch", KEY_LATER, "N", OPTION_HIDDEN, NULL, 0 },
	{ 0 }
};

/* ---- values --------------------------------------------------------------- */

static int64_t
whole(struct argp_state *state, const char *option, const char *text, int64_t lo, int64_t hi)
{
	char *end;
	errno = 0;
	long long x = strtoll(text, &end, 10);
	if (end == text || *end || errno || x < lo || x > hi)
		argp_error(state, "%s: expected a whole number from %lld to %lld, found '%s'", option, (long long)lo, (long long)hi, text);
	return x;
}

void
split_binding(struct argp_state *state, char *arg, const char **name, const char **value)
{
	char *equals = strrchr(arg, '=');
	if (!equals || equals == arg || !equals[1])
		argp_error(state, "expected NAME=VALUE, found '%s'", arg);
	else {
		*equals = 0;
		*name = arg;
		*value = equals + 1;
	}
}

static void
bind_dims(struct argp_state *state, struct common *c, char *arg, bool symbol)
{
	struct dim_binding b = { .symbol = symbol };
	const char *value = "";
	split_binding(state, arg, &b.name, &value);
	char *copy = arena_strdup(c->arena, value), *save = NULL;
	for (char *d = strtok_r(copy, "x", &save); d; d = strtok_r(NULL, "x", &save)) {
		if (b.rank == (symbol ? 1 : MAX_RANK))
			argp_error(state, "--%s %s: too many dimensions in '%s'", symbol ? "dim" : "shape", b.name, value);
		b.dim[b.rank++] = whole(state, symbol ? "--dim" : "--shape", d, 1, INT32_MAX);
	}
	struct dim_binding *list = arena_alloc(c->arena, (size_t)(c->opt.nbind + 1) * sizeof *list);
	if (c->opt.nbind)
		memcpy(list, c->opt.bind, (size_t)c->opt.nbind * sizeof *list);
	list[c->opt.nbind++] = b;
	c->opt.bind = list;
}

static void
set_weights(struct argp_state *state, struct common *c, const char *arg)
{
	c->opt.weights_given = true;
	if (!strcmp(arg, "masked"))
		c->opt.weights = WEIGHTS_MASKED;
	else if (!strcmp(arg, "public"))
		c->opt.weights = WEIGHTS_PUBLIC;
	else if (!strcmp(arg, "owner"))
		c->opt.weights = WEIGHTS_OWNER;
	else
		argp_error(state, "--weights: expected masked, owner or public, found '%s'", arg);
}

/* The sets, for messages; text: at least 128 bytes. */
static const char *
gate_sets(char *text)
{
	size_t at = 0;
	for (int k = 0; gates_set(k) && at < 96; k++)
		at += (size_t)snprintf(text + at, 128 - at, "%.24s, ", gates_set(k));
	snprintf(text + at, 128 - at, "auto");
	return text;
}

static void
check_gates(struct argp_state *state, const char *arg)
{
	char sets[128];
	if (gates_is_set(arg) || gates_is_file(arg))
		return;
	if (!strcmp(arg, "suf") || !strcmp(arg, "compact"))
		argp_error(state, "--gates=%s: this gate set is not in this version; supported: %s, or a gates file", arg, gate_sets(sets));
	else
		argp_error(state, "--gates: there is no gate set '%s' and no file of this name; supported: %s, or a gates file", arg, gate_sets(sets));
}

/* One set or file; where a command takes them (gates_list), a list of them. */
static void
set_gates(struct argp_state *state, struct common *c, const char *arg)
{
	char *copy = arena_strdup(c->arena, arg), *save = NULL;
	c->opt.gates = arg;
	if (!c->gates_list) {
		check_gates(state, arg);
		return;
	}
	c->ngates = 0;
	c->gates_list = arena_alloc(c->arena, (strlen(arg) + 1) * sizeof *c->gates_list);
	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		check_gates(state, one);
		c->gates_list[c->ngates++] = one;
	}
	if (!c->ngates)
		argp_error(state, "--gates: expected a list of gate sets or gates files, found '%s'", arg);
}

static void
set_objective(struct argp_state *state, struct common *c, const char *arg)
{
	for (int k = 0; objective_name[k]; k++)
		if (!strcmp(arg, objective_name[k])) {
			c->opt.objective = (enum objective)k;
			return;
		}
	argp_error(state, "--objective: expected time, comm, key or rounds, found '%s'", arg);
}

static void
set_network(struct argp_state *state, struct common *c, const char *arg)
{
	struct network net;
	c->opt.network = arg;
	if (!network_parse(arg, &net))
		argp_error(state, "--network: expected lan, wan, loopback or GBPS,RTT_MS (as in 1,10), found '%s'", arg);
}

static const char *
pass_name(struct argp_state *state, const char *option, const char *arg)
{
	for (int k = 0; k < npasses; k++)
		if (!strcmp(passes[k].name, arg))
			return passes[k].name;
	char list[512] = "";
	for (int k = 0, at = 0; k < npasses; k++)
		at += snprintf(list + at, sizeof list - (size_t)at, "%s%s", k ? ", " : "", passes[k].name);
	argp_error(state, "%s: there is no pass '%s'; passes: %s", option, arg, list);
	return NULL;
}

static void
set_output_to(struct argp_state *state, struct common *c, const char *arg)
{
	if (!strcmp(arg, "both"))
		c->opt.output_to = 2;
	else if (!strcmp(arg, "0") || !strcmp(arg, "1"))
		c->opt.output_to = *arg - '0';
	else
		argp_error(state, "--output-to: expected 0, 1 or both, found '%s'", arg);
}

static void
add_descriptor(struct common *c, const char *file)
{
	const char **list = arena_alloc(c->arena, (size_t)(c->opt.ndescriptor + 1) * sizeof *list);
	if (c->opt.ndescriptor)
		memcpy(list, c->opt.descriptor, (size_t)c->opt.ndescriptor * sizeof *list);
	list[c->opt.ndescriptor++] = file;
	c->opt.descriptor = list;
}

static void
set_diagnostics(struct argp_state *state, struct common *c, const char *arg)
{
	c->json = !strcmp(arg, "json");
	if (!c->json && strcmp(arg, "text"))
		argp_error(state, "--diagnostics: expected text or json, found '%s'", arg);
}

static void
set_max_error(struct argp_state *state, struct common *c, const char *arg)
{
	char *end;
	c->opt.max_error = strtod(arg, &end);
	if (end == arg || *end || !(c->opt.max_error > 0 && c->opt.max_error < 1))
		argp_error(state, "--max-error: expected a number between 0 and 1, as in 0.01, found '%s'", arg);
}

/* Fraction bits are chosen where each value has its own. */
static void
check_max_error(struct argp_state *state, const struct common *c)
{
	const char *one = c->gates_list ? NULL : c->opt.gates;
	for (int k = 0; k < c->ngates; k++)
		if (!one || gates_is_one_format(c->gates_list[k]))
			one = c->gates_list[k];
	if (!c->opt.calibrate)
		argp_error(state, "--max-error: the error is measured on example inputs: give --calibrate=FILE.npz");
	if (c->opt.ring_bits || c->opt.frac_bits)
		argp_error(state, "--max-error chooses rings and fraction bits of each value: leave out --ring-bits and --frac-bits, or --max-error");
	if (one && gates_is_one_format(one))
		argp_error(state, "--max-error: the gates of the set '%s' take values of one format, there are no fraction bits to choose; "
		           "use --gates=compact or --gates=auto, or --frac-bits=F for one format", one);
}

static void
set_target(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "cuda"))
		argp_error(state, "--target=cuda is not in this version; supported: cpu");
	else if (strcmp(arg, "cpu"))
		argp_error(state, "--target: expected cpu, found '%s'", arg);
}

/* An option of the documented command line that a later version brings: which one was it? */
static void
refuse_later(struct argp_state *state)
{
	const char *arg = state->argv[state->next - 1];
	if (strncmp(arg, "--", 2) && state->next >= 2)
		arg = state->argv[state->next - 2];
	argp_error(state, "%.*s is not in this version; see --help for what is", (int)strcspn(arg, "="), arg);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct common *c = state->input;
	switch (key) {
	case KEY_SHAPE: bind_dims(state, c, arg, false); break;
	case KEY_DIM: bind_dims(state, c, arg, true); break;
	case KEY_WEIGHTS: set_weights(state, c, arg); break;
	case KEY_OUTPUT_TO: set_output_to(state, c, arg); break;
	case KEY_GATES: set_gates(state, c, arg); break;
	case KEY_RING: c->opt.ring_bits = (int)whole(state, "--ring-bits", arg, 16, 64); break;
	case KEY_FRAC: c->opt.frac_bits = (int)whole(state, "--frac-bits", arg, 4, 24); break;
	case KEY_MAX_ERROR: set_max_error(state, c, arg); break;
	case KEY_CALIBRATE: c->opt.calibrate = arg; break;
	case KEY_DESCRIPTOR: add_descriptor(c, arg); break;
	case KEY_DUMP: c->opt.dump = pass_name(state, "--dump", arg); break;
	case KEY_STOP: c->opt.stop_after = pass_name(state, "--stop-after", arg); break;
	case KEY_DIAG: set_diagnostics(state, c, arg); break;
	case KEY_ARGMAX: c->opt.argmax = true; break;
	case KEY_NO_WEIGHTS: c->opt.no_weights = true; break;
	case KEY_TARGET: set_target(state, arg); break;
	case KEY_OBJECTIVE: set_objective(state, c, arg); break;
	case KEY_NETWORK: set_network(state, c, arg); break;
	case KEY_MACHINE: c->opt.machine = arg; break;
	case KEY_LATER: refuse_later(state); break;
	case 'v': c->opt.verbose = true; break;
	case 'q': c->opt.quiet = true; break;
	case ARGP_KEY_ARG:
		if (c->opt.model)
			argp_error(state, "one model at a time: '%s' and '%s'", c->opt.model, arg);
		c->opt.model = arg;
		break;
	case ARGP_KEY_END:
		if (c->opt.no_weights && (!c->opt.ring_bits || c->opt.calibrate))
			argp_error(state, "--no-weights: ranges are not known without weights: give --ring-bits=N, and no --calibrate");
		if (c->opt.max_error > 0)
			check_max_error(state, c);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp common_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

void
common_init(struct common *c)
{
	*c = (struct common){ .opt = { .weights = WEIGHTS_MASKED, .output_to = 1, .gates = "auto" }, .arena = arena_new() };
}

void
common_free(struct common *c)
{
	arena_free(c->arena);
}

char **
words_copy(struct arena *a, int n, char **words)
{
	char **copy = arena_alloc(a, ((size_t)n + 1) * sizeof *copy);
	for (int k = 0; k < n; k++)
		copy[k] = arena_strdup(a, words[k]);
	return copy;
}

/* ---- models --------------------------------------------------------------- */

static bool
readable(const char *path, struct diag *d)
{
	struct stat st;
	struct loc loc = { .file = path, .index = -1 };
	if (stat(path, &st) || access(path, R_OK))
		diag_error(d, &loc, "read", "cannot read the file: %s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		diag_error(d, &loc, "read", "is a directory, expected a file");
	else
		return true;
	return false;
}

static bool
has_suffix(const char *path, const char *suffix)
{
	size_t n = strlen(path), k = strlen(suffix);
	return n > k && !strcmp(path + n - k, suffix);
}

/* Options that come too late for a program that is read as text: what they say was decided before it was written. */
static bool
takes_options(struct prog *p, const struct options *opt, struct diag *d)
{
	const struct loc loc = { .file = opt->model, .index = -1 };
	const char *code = NULL, *before = NULL;
	if (p->stage >= STAGE_GATE && opt->gates && strcmp(opt->gates, "auto") && !gates_is_file(opt->gates) && p->gates && strcmp(opt->gates, p->gates)) {
		code = "gates", before = "bind";
		diag_error(d, &loc, code, "its gates are chosen already, of '%s': --gates=%s has no effect", p->gates, opt->gates);
	} else if (p->stage >= STAGE_GATE && opt->gates && gates_is_file(opt->gates)) {
		code = "gates", before = "bind";
		diag_error(d, &loc, code, "its gates are chosen already: '%s' has no effect", opt->gates);
	} else if (p->stage >= STAGE_RING && (opt->max_error > 0 || opt->ring_bits || opt->frac_bits)) {
		code = opt->max_error > 0 ? "max-error" : "ring", before = "quantize";
		diag_error(d, &loc, code, "its fraction bits are chosen already: --%s has no effect", opt->max_error > 0 ? "max-error" : opt->ring_bits ? "ring-bits" : "frac-bits");
	} else if (p->stage >= STAGE_RING && opt->argmax) {
		code = "argmax", before = "argmax";
		diag_error(d, &loc, code, "its outputs are decided already: --argmax has no effect");
	}
	if (code) {
		diag_hint(d, "give the model, or a program that was written before the pass '%s'", before);
		return false;
	}
	return true;
}

struct prog *
load_model(const struct options *opt, struct diag *d, int *status)
{
	*status = STATUS_FILES;
	if (!readable(opt->model, d) || (opt->calibrate && !readable(opt->calibrate, d)) || (opt->gates && gates_is_file(opt->gates) && !readable(opt->gates, d)) ||
	    (opt->machine && !readable(opt->machine, d)))
		return NULL;
	for (int k = 0; k < opt->ndescriptor; k++)
		if (!readable(opt->descriptor[k], d))
			return NULL;
	*status = STATUS_MODEL;
	struct prog *p = NULL;
	if (has_suffix(opt->model, ".ir")) {
		FILE *f = fopen(opt->model, "r");
		if (!f)
			return NULL;
		p = ir_parse(f, opt->model, opt, d);
		fclose(f);
	} else
		p = onnx_import(opt->model, opt, d);
	if (p && !takes_options(p, opt, d)) {
		ir_free(p);
		p = NULL;
	}
	if (p)
		*status = STATUS_OK;
	return p;
}

struct prog *
compile_model(const struct options *opt, struct diag *d, int *status)
{
	struct prog *p = load_model(opt, d, status);
	if (p && !run_passes(p, opt, stdout)) {
		*status = STATUS_MODEL;
		ir_free(p);
		p = NULL;
	}
	return p;
}
