/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/pages.h - memory that follows a restored container (post-copy).
 *
 *   source                                              target
 *   frozen tasks ◄─ read ─ daemon ◄══ TLS ══► daemon ◄──► pager ◄─ userfaultfd ─► restored tasks
 *
 * The tasks that were dumped without their memory stand still until the last page is fetched:
 * they are the image. On the target the pager, a helper that outlives the daemon, stands in for
 * CRIU's lazy-pages daemon: it answers the page faults of the restored tasks and fetches all the
 * rest meanwhile. The daemons only carry bytes, and whoever is cut off comes again.
 *
 * The pager listens at PAGES_SOCKET in the folder of the images. A message is struct page_msg, in
 * the order of bytes that both have (members of one architecture); what was asked is answered in
 * that order:
 *
 *   PAGE_GET      pager: those pages, of the process with that number inside
 *   PAGE_DATA     source: the same, and the bytes follow
 *   PAGE_GONE     source: it does not have them any more
 *   PAGE_PING     pager, every second: answered with the same
 *   PAGE_ALL      target: it has all, answered with the same
 *   PAGE_FAILED   target: the container is lost, answered with the same
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PAGES_SOCKET "pages.sock"
#define PAGES_RESULT "pages.json" /* by the pager when it ends: {"pages"} or {"error"} */
#define PAGES_BYTES_MAX (256 << 10) /* in one message */
#define PAGES_PING_MS 1000
/* Descriptors of the helpers of a restore, behind HELPER_FD_EXTRA: their vault (vault.h). */
#define PAGES_FD_IN 6
#define PAGES_FD_OUT 7
#define PAGES_FD_KEPT 102 /* in the monitor */

enum page_cmd { PAGE_GET = 1, PAGE_DATA, PAGE_GONE, PAGE_PING, PAGE_ALL, PAGE_FAILED };

struct page_msg {
	uint32_t cmd, unused;
	uint64_t pages, address, process;
};

size_t pages_bytes(uint64_t pages);
/* What can be asked for. */
bool page_msg_is_get(const struct page_msg *m);
/* m answers that request. */
bool page_msg_answers(const struct page_msg *m, const struct page_msg *get);

/* Helpers: lines of CRIU's options for a dump without memory, or its restore. The caller frees. */
char *pages_options(bool source);
/* Source: reads pages of a task that stands still, also those that it may not read itself. -1 when
 * it is gone. */
int pages_read(pid_t pid, uint64_t address, void *buf, size_t len);

/* Why this host cannot restore like this; "" when it can. Callable from threads. */
const char *pages_trouble(void);

/* While an unprivileged container is restored its tasks must be allowed to open a userfaultfd that
 * sees faults of the kernel, too. What the host had set is put back when the last of those who
 * allow it ends, of whichever daemon, or the next time after all were killed. Returns a
 * descriptor. */
int pages_allow(struct err *err);
void pages_disallow(int own_fd);
/* At daemon start: puts back what all who were killed have left. */
void pages_recover(void);
