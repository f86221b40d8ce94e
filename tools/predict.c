/* SPDX-License-Identifier: Apache-2.0
 * predict -- prints the predicted times of a model, one "name value" a line, for the benchmark and the tests:
 *   predict [--machine FILE] [--network NET] [--tls] [--streamed] [--one-machine] MODEL [--calibrate FILE.npz and other options of sufc] */
#include <stdio.h>
#include <string.h>
#include "frontend/cmd.h"
#include "passes/predict.h"

enum { KEY_MACHINE = 0x400, KEY_NETWORK, KEY_TLS, KEY_STREAMED, KEY_ONE };

struct args { struct common common; const char *machine; struct network net; bool tls, streamed, one; };

static const struct argp_option options[] = {
	{ "machine", KEY_MACHINE, "FILE.json", 0, "Constants from sufc calibrate-machine", 0 },
	{ "network", KEY_NETWORK, "NET", 0, "loopback, lan, wan or GBPS,RTT_MS", 0 },
	{ "tls", KEY_TLS, NULL, 0, "The parties talk TLS", 0 },
	{ "streamed", KEY_STREAMED, NULL, 0, "The dealer runs at the same time", 0 },
	{ "one-machine", KEY_ONE, NULL, 0, "All run on this machine, whatever the network", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; break;
	case KEY_MACHINE: a->machine = arg; break;
	case KEY_NETWORK:
		if (!network_parse(arg, &a->net))
			argp_error(state, "--network: expected loopback, lan, wan or GBPS,RTT_MS, found '%s'", arg);
		break;
	case KEY_TLS: a->tls = true; break;
	case KEY_STREAMED: a->streamed = true; break;
	case KEY_ONE: a->one = true; break;
	case ARGP_KEY_END:
		if (!a->common.opt.model)
			argp_error(state, "no model was given");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp_child child[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { options, parse, "MODEL", "Print how long a model's program should take.", child, NULL, NULL };
	struct args a = { .machine = NULL };
	struct machine m;
	struct prediction got;
	int status = STATUS_FILES;
	argp_err_exit_status = STATUS_USAGE;
	common_init(&a.common);
	if (!network_parse("loopback", &a.net))
		return STATUS_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	struct diag *d = diag_new(stderr, a.common.json);
	diag_quiet(d, true);
	struct prog *p = machine_load(a.machine, &m) ? compile_model(&a.common.opt, d, &status) : NULL;
	if (p)
		machine_note(&m);
	a.net.tls |= a.tls;
	a.net.streamed |= a.streamed;
	a.net.one_machine |= a.one;
	if (p && predict(p, &m, &a.net, &got))
		predict_print(&got, stdout);
	ir_free(p);
	diag_free(d);
	common_free(&a.common);
	return status;
}
