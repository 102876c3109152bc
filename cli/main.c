/* SPDX-License-Identifier: Apache-2.0 */
/* dunlin: the command line of the cluster. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/form/cli.h"
#include "cli/net/client.h"
#include "cli/net/remote.h"

static int run(struct cli *c, struct err *err)
{
	const struct args *a = &c->args;
	int r;

	c->quiet = args_flag(a, "quiet");
	c->debug = args_flag(a, "debug");
	c->conf = conf_load(args_value(a, "socket"), err);
	if (!c->conf)
		return -1;
	c->conf->force_local = args_flag(a, "force-local");
	c->conf->project = args_value(a, "project");
	r = a->cmd->run(c, err);
	client_close_all(c);
	conf_free(c->conf);
	return r;
}

/* A reader that went away needs no message. */
static int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "Error: cannot write the output: %s\n", strerror(errno));
	return status ? status : 1;
}

int main(int argc, char **argv)
{
	_free_ struct cli *c = xnew(struct cli);
	struct err err = { 0 };
	int status = 0;

	signal(SIGPIPE, SIG_IGN);
	if (args_parse(&commands, &c->args, argc, argv, &err) < 0)
		status = -1;
	else if (c->args.version)
		puts("dunlin " DUNLIN_VERSION);
	else if (c->args.help || !c->args.cmd)
		help_print(&c->args);
	else
		status = run(c, &err);
	if (status < 0) {
		fflush(stdout);
		if (err.sys != EPIPE)
			fprintf(stderr, "Error: %s\n", err.msg);
		status = 1;
	}
	return finish_output(status);
}
