/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/daemon.h - the composition of everything a member runs, and its ordered start and
 * stop. */
#pragma once
#include "base/err.h"

struct daemon_opts {
	const char *dir;   /* DUNLIN_DIR */
	const char *group; /* of the unix socket; NULL: root only */
};

/* Runs until `dunlind shutdown`, SIGTERM or SIGINT. Containers go on. */
int daemon_run(const struct daemon_opts *o, struct err *err);
