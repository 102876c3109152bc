/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/strays.h - forks of CRIU that outlive it.
 *
 * liblxc reads what CRIU says until nobody has the pipe any more. A CRIU that is killed while it
 * has forked something, to probe the kernel say, leaves that behind, and it waits for its parent
 * for ever: so would the helper. Its forks become children of the helper, and are killed when CRIU
 * has ended.
 *
 * For a helper that dumps, around the call of liblxc.
 */
#pragma once

struct strays;

/* images: the folder that CRIU is called with; borrowed until strays_end(). NULL when there is no
 * thread for it: then nothing is killed. */
struct strays *strays_begin(const char *images);
void strays_end(struct strays *s); /* NULL: does nothing */
