/* SPDX-License-Identifier: Apache-2.0 */
/* In files.img a timerfd record (field 12) of a periodic timer that expired unread has ticks > 0
 * and no time left; CRIU then restores it disarmed. One nanosecond left makes it go on at once. */
#include "node/criu/criu.h"
#include "node/criu/message.h"

#define FILE_TIMERFD 12
enum {
	TIMER_TICKS = 5,
	TIMER_LEFT_S = 7,
	TIMER_LEFT_NS = 8,
	TIMER_EVERY_S = 9,
	TIMER_EVERY_NS = 10
};

static int fix_timer(unsigned char *p, unsigned char *end)
{
	uint64_t v[TIMER_EVERY_NS + 1] = { 0 };
	unsigned char *left = NULL;
	struct field f;

	while ((p = message_next(p, end, &f))) {
		if (f.type != FIELD_VARINT || f.number > TIMER_EVERY_NS)
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

static void fix_file(void *arg, unsigned char *p, unsigned char *end)
{
	struct field f;

	while ((p = message_next(p, end, &f))) {
		if (f.type == FIELD_BYTES && f.number == FILE_TIMERFD)
			*(int *)arg += fix_timer(f.at, f.end);
	}
}

int criu_fix_timers_in(unsigned char *data, size_t len)
{
	int fixed = 0;

	message_each(data, len, fix_file, &fixed);
	return fixed;
}

static int fix_image(void *arg, unsigned char *data, size_t len)
{
	return criu_fix_timers_in(data, len);
}

void criu_fix_timers(const char *dir)
{
	message_edit(dir, "files.img", fix_image, NULL);
}
