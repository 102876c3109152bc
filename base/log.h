/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h - one line per fact on stderr, with the journal's `<N>` level prefix.
 *
 * The message is constant and greppable; facts follow as key=value. Thread-safe.
 *     log_info("instance started", "instance", name, "member", member);
 * The variable part is pairs of const char *, ended by the macro.
 */
#pragma once
#include "base/err.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7, LOG_TRACE = 8 };

extern enum log_level log_max; /* set once at start */

/* The `<N>` is left out on a terminal; time and level in words are left out for the journal, which
 * notes them itself. */
void log_init(enum log_level max);
int log_level_parse(const char *name); /* -1 when unknown */
void log_write(enum log_level level, const char *msg, ...) __attribute__((sentinel));
/* For the top of a call chain: the failure with its kind. */
void log_err(enum log_level level, const char *msg, const struct err *err);

#define log_at(level, ...)                                   \
	do {                                                 \
		if ((level) <= log_max)                      \
			log_write(level, __VA_ARGS__, NULL); \
	} while (0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)
