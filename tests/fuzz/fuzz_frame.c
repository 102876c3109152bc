/* SPDX-License-Identifier: Apache-2.0 */
/* The migration stream: frames are taken whole or refused, and so are entries of a root file
 * system; what was taken says the same after another journey. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "migrate/rootfs/sync.h"
#include "migrate/stream/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void entry(const uint8_t *data, size_t len)
{
	_free_ uint8_t *buf = xcalloc(len + 1, 1), *again = NULL;
	_free_ struct sync_entry *e = xnew(struct sync_entry), *f = xnew(struct sync_entry);
	_sbuf_ struct sbuf out = SBUF(1 << 20);
	struct err err = { 0 };

	memcpy(buf, data, len);
	if (sync_decode(buf, len, e, &err) < 0) {
		assert(err.kind == ERR_INVALID);
		return;
	}
	assert(!strstr(e->path, "//") && e->path[0] != '/');
	assert(e->nxattr <= SYNC_XATTRS_MAX);
	sync_encode(&out, e);
	assert(out.len == len && memcmp(out.data, data, len) == 0);
	again = xcalloc(len + 1, 1);
	memcpy(again, out.data, len);
	assert(sync_decode(again, len, f, &err) == 0 && strcmp(e->path, f->path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct frame f;
	size_t at = 0;
	ssize_t n;

	while ((n = frame_parse(data + at, size - at, &f, &err)) > 0) {
		uint8_t head[FRAME_HEAD];

		frame_head(head, f.type, f.data, f.len);
		assert(memcmp(head, data + at, FRAME_HEAD) == 0);
		if (f.type == FR_SYNC)
			entry(f.data, f.len);
		if (f.type == FR_FAIL)
			frame_error(&f, &err);
		at += (size_t)n;
	}
	/* Without a checksum in the way, too. */
	entry(data, size);
	return 0;
}
