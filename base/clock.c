/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static int64_t now_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int64_t clock_ms(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_us(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_wall(void)
{
	return now_ns(CLOCK_REALTIME) / 1000000000;
}

int64_t clock_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

int deadline_left(int64_t deadline)
{
	int64_t left;

	if (deadline == 0)
		return -1;
	left = deadline - clock_ms();
	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

struct timespec deadline_timespec(int64_t deadline)
{
	return (struct timespec){ .tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000 };
}

const char *clock_text(int64_t wall_ns, char buf[CLOCK_TEXT_SIZE])
{
	time_t s = wall_ns / 1000000000;
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, CLOCK_TEXT_SIZE - n, ".%09uZ", (unsigned)(wall_ns % 1000000000));
	return buf;
}

const char *clock_now_text(char buf[CLOCK_TEXT_SIZE])
{
	return clock_text(clock_wall_ns(), buf);
}

int64_t clock_parse(const char *text)
{
	struct tm tm = { 0 };
	int off_h = 0, off_m = 0;
	char sign = 'Z';
	const char *p;

	p = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!p)
		return -1;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if (*p == 'Z')
		return p[1] ? -1 : timegm(&tm);
	if (sscanf(p, "%c%2d:%2d", &sign, &off_h, &off_m) != 3 || !strchr("+-", sign))
		return -1;
	return timegm(&tm) - (sign == '-' ? -1 : 1) * (off_h * 3600 + off_m * 60);
}
