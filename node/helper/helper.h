/* SPDX-License-Identifier: Apache-2.0 */
/* node/helper/helper.h - one job in a process of its own: this binary again, with a hidden verb.
 *
 * Whatever forks, enters namespaces or calls liblxc's start, stop, exec, checkpoint and restore
 * runs in a helper: single-threaded, JSON on descriptor 3 in, JSON on descriptor 4 out, stderr
 * captured, a deadline, killable with its process group. Extra descriptors follow from 5. The
 * name of a verb begins with "helper-", and a helper starts no other. The answer is {"ok": ...}
 * or {"error": {"kind","message"}}.
 */
#pragma once
#include "base/json.h"
#include "base/proc.h"

#define HELPER_FD_IN 3
#define HELPER_FD_OUT 4
#define HELPER_FD_EXTRA 5

/* Runs verb to its end; the "ok" value (new reference) or NULL with the helper's error,
 * ERR_TIMEOUT (it was killed), or ERR_INTERNAL when it died. */
json_t *helper_run(const char *verb, const json_t *request, const int *extra_fds, int nextra,
		   int64_t deadline, struct err *err);

/* The same in two steps, for helpers one talks with while they run. */
struct helper {
	struct proc proc;
	int out, log;
	bool died; /* helper_end: there was no answer, or not in time */
};
int helper_begin(struct helper *h, const char *verb, const json_t *request, const int *extra_fds,
		 int nextra, struct err *err);
/* It ends when the calling thread does. */
int helper_begin_tied(struct helper *h, const char *verb, const json_t *request,
		      const int *extra_fds, int nextra, struct err *err);
json_t *helper_end(struct helper *h, int64_t deadline, struct err *err);
void helper_kill(struct helper *h);

/* Child side: verb -> function, from a table that ends with NULL. Returns the process' exit status,
 * or -1 when argv is no verb of it. */
typedef json_t *(*helper_fn)(const json_t *request, struct err *err);
struct helper_verb {
	const char *verb;
	helper_fn fn;
};
int helper_main(const struct helper_verb *verbs, int argc, char **argv);
