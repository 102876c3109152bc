/* SPDX-License-Identifier: Apache-2.0 */
/* What is written to a standard stream between two calls. */
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

struct captured {
	int stream, saved, file;
};

static inline void capture(struct captured *c, int stream)
{
	c->stream = stream;
	c->saved = fcntl(stream, F_DUPFD_CLOEXEC, 3);
	c->file = memfd_create("captured", MFD_CLOEXEC);
	/* Without it two threads may write to one place. */
	fcntl(c->file, F_SETFL, O_APPEND);
	dup2(c->file, stream);
}

/* The caller frees. */
static inline char *captured_end(struct captured *c)
{
	off_t n = lseek(c->file, 0, SEEK_END);
	char *text = xcalloc(n + 1, 1);

	if (pread(c->file, text, n, 0) != n)
		abort();
	dup2(c->saved, c->stream);
	close(c->saved);
	close(c->file);
	return text;
}
