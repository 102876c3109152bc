/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/arguments.h - what the daemon and its verbs are told on the command line, their own
 * name first. What is borrowed is of argv. Options that are unknown are told on standard error. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

#define ARGUMENT_SECONDS_MAX 86400

enum daemon_wish { WISH_RUN, WISH_HELP, WISH_VERSION, WISH_USAGE /* it was told wrong */ };

struct daemon_arguments {
	const char *group; /* of the unix socket; NULL: root only */
	enum log_level level;
	const char *strange; /* a word that is no option; NULL: none */
};

struct shutdown_arguments {
	bool instances, if_host_stops;
	uint64_t timeout_s; /* 0: not given */
};

enum daemon_wish arguments_daemon(int argc, char **argv, struct daemon_arguments *ret);
/* False on anything that is no option of it. */
bool arguments_shutdown(int argc, char **argv, struct shutdown_arguments *ret);
/* 0 without the option. */
bool arguments_waitready(int argc, char **argv, uint64_t *ret_timeout_s);
