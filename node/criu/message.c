/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/message.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define IMAGE_MAX (64 << 20)
#define MAGIC 8

static unsigned char *varint(unsigned char *p, const unsigned char *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
		v |= (uint64_t)(*p & 127) << shift;
		if (!(*p++ & 128)) {
			*ret = v;
			return p;
		}
	}
	return NULL;
}

unsigned char *message_next(unsigned char *p, unsigned char *end, struct field *f)
{
	uint64_t tag, len;

	if (p >= end || !(p = varint(p, end, &tag)))
		return NULL;
	f->number = (unsigned)(tag >> 3);
	f->type = tag & 7;
	f->at = p;
	if (f->type == FIELD_VARINT)
		return f->end = varint(p, end, &f->value);
	if (f->type == FIELD_BYTES) {
		if (!(f->at = varint(p, end, &len)) || len > (uint64_t)(end - f->at))
			return NULL;
		f->value = len;
		return f->end = f->at + len;
	}
	len = f->type == 5 ? 4 : f->type == 1 ? 8 : UINT64_MAX;
	return len <= (uint64_t)(end - p) ? (f->end = p + len) : NULL;
}

void message_each(unsigned char *data, size_t len,
		  void (*fn)(void *arg, unsigned char *p, unsigned char *end), void *arg)
{
	unsigned char *p = data + MAGIC, *end = data + len;
	uint32_t size;

	while (len >= MAGIC && end - p >= 4) {
		memcpy(&size, p, 4);
		p += 4;
		if (size > (size_t)(end - p))
			return;
		fn(arg, p, p + size);
		p += size;
	}
}

void message_edit(const char *dir, const char *name,
		  int (*fn)(void *arg, unsigned char *data, size_t len), void *arg)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);
	_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	_free_ unsigned char *data = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > IMAGE_MAX)
		return;
	data = xcalloc((size_t)st.st_size + 1, 1);
	if (pread(fd, data, (size_t)st.st_size, 0) == st.st_size &&
	    fn(arg, data, (size_t)st.st_size) > 0 && lseek(fd, 0, SEEK_SET) == 0)
		io_write_full(fd, data, (size_t)st.st_size);
}
