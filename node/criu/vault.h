/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/vault.h - copies of descriptors that outlive whoever works with them.
 *
 * A task goes on with zeros for what it misses once nobody has its userfaultfd(2) any more. So a
 * copy of each lies unread in a socket, and the container's monitor, which lives as long as the
 * container and knows nothing of it, has that socket, too: the task then waits, until it is killed.
 */
#pragma once
#include "base/err.h"

struct vault {
	int in, out; /* what is put in stays until it is taken from `out` */
};
/* Both are to be closed. */
int vault_new(struct vault *ret, struct err *err);
void vault_close(struct vault *v);
/* For a process that starts others: the vault stays at that number, and is not inherited by what it
 * executes. It needs no more than that. */
int vault_keep(int out, int number, struct err *err);
int vault_put(const struct vault *v, int fd, struct err *err);
/* Closes all that is in it. */
void vault_empty(const struct vault *v);
