/* SPDX-License-Identifier: Apache-2.0 */
/* files.img is a magic of 8 bytes and records of a 32-bit length and a protobuf message. A
 * timerfd record (field 12) of a periodic timer that expired unread has ticks > 0 and no time
 * left; CRIU then restores it disarmed. One nanosecond left makes it go on at once. The zero is a
 * varint of one byte, and so is a one: nothing moves. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/criu/criu.h"

#define FILES_MAX (64 << 20)
#define FILE_TIMERFD 12
enum {
	TIMER_TICKS = 5,
	TIMER_LEFT_S = 7,
	TIMER_LEFT_NS = 8,
	TIMER_EVERY_S = 9,
	TIMER_EVERY_NS = 10
};

struct field {
	unsigned number, type;
	uint64_t value;          /* of a varint; the length of a message */
	unsigned char *at, *end; /* value bytes */
};

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

/* The next field, or NULL at the end and when malformed. */
static unsigned char *next_field(unsigned char *p, unsigned char *end, struct field *f)
{
	uint64_t tag, len;

	if (p >= end || !(p = varint(p, end, &tag)))
		return NULL;
	f->number = (unsigned)(tag >> 3);
	f->type = tag & 7;
	f->at = p;
	if (f->type == 0)
		return f->end = varint(p, end, &f->value);
	if (f->type == 2) {
		if (!(f->at = varint(p, end, &len)) || len > (uint64_t)(end - f->at))
			return NULL;
		return f->end = f->at + len;
	}
	len = f->type == 5 ? 4 : f->type == 1 ? 8 : UINT64_MAX;
	return len <= (uint64_t)(end - p) ? (f->end = p + len) : NULL;
}

static int fix_timer(unsigned char *p, unsigned char *end)
{
	uint64_t v[TIMER_EVERY_NS + 1] = { 0 };
	unsigned char *left = NULL;
	struct field f;

	while ((p = next_field(p, end, &f))) {
		if (f.type != 0 || f.number > TIMER_EVERY_NS)
			continue;
		v[f.number] = f.value;
		if (f.number == TIMER_LEFT_NS && f.end - f.at == 1)
			left = f.at;
	}
	if (!left || !v[TIMER_TICKS] || v[TIMER_LEFT_S] || v[TIMER_LEFT_NS] ||
	    !(v[TIMER_EVERY_S] || v[TIMER_EVERY_NS]))
		return 0;
	*left = 1;
	return 1;
}

int criu_fix_timers_in(unsigned char *data, size_t len)
{
	unsigned char *p = data + 8, *end = data + len;
	int fixed = 0;
	struct field f;
	uint32_t size;

	while (len >= 8 && end - p >= 4) {
		memcpy(&size, p, 4);
		p += 4;
		if (size > (size_t)(end - p))
			break;
		for (unsigned char *q = p; (q = next_field(q, p + size, &f));) {
			if (f.type == 2 && f.number == FILE_TIMERFD)
				fixed += fix_timer(f.at, f.end);
		}
		p += size;
	}
	return fixed;
}

void criu_fix_timers(const char *dir)
{
	_free_ char *path = xasprintf("%s/files.img", dir);
	_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	_free_ unsigned char *data = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > FILES_MAX)
		return;
	data = xcalloc((size_t)st.st_size + 1, 1);
	if (pread(fd, data, (size_t)st.st_size, 0) == st.st_size &&
	    criu_fix_timers_in(data, (size_t)st.st_size) > 0 && lseek(fd, 0, SEEK_SET) == 0)
		io_write_full(fd, data, (size_t)st.st_size);
}
