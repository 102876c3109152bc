/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000LL

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
	int64_t ns = wall_ns % NS_PER_S;
	time_t s = wall_ns / NS_PER_S;
	struct tm tm;
	size_t n;

	if (ns < 0) { /* before 1970 */
		ns += NS_PER_S;
		s--;
	}
	gmtime_r(&s, &tm);
	n = strftime(buf, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, CLOCK_TEXT_SIZE - n, ".%09uZ", (unsigned)ns);
	return buf;
}

const char *clock_now_text(char buf[CLOCK_TEXT_SIZE])
{
	return clock_text(clock_wall_ns(), buf);
}

/* Does the text begin with this shape, in which '0' is any digit? The parsers of the C library also
 * take blanks, signs and numbers of fewer digits. */
static bool has_shape(const char *text, const char *shape)
{
	for (; *shape; shape++, text++) {
		if (*shape == '0' ? !isdigit((unsigned char)*text) : *text != *shape)
			return false;
	}
	return true;
}

static bool is_day(const struct tm *tm)
{
	struct tm day = { .tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday };

	timegm(&day);
	return day.tm_mday == tm->tm_mday;
}

/* Seconds of "Z", "+01:00" or "-01:30", which is all that is left. */
static bool parse_offset(const char *s, int *ret_s)
{
	int hours, minutes;

	*ret_s = 0;
	if (strcmp(s, "Z") == 0)
		return true;
	if (!(*s == '+' || *s == '-') || !has_shape(s + 1, "00:00") || s[6])
		return false;
	hours = (s[1] - '0') * 10 + s[2] - '0';
	minutes = (s[4] - '0') * 10 + s[5] - '0';
	*ret_s = (*s == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return hours < 24 && minutes < 60;
}

int64_t clock_parse(const char *text)
{
	struct tm tm = { 0 };
	const char *p;
	int offset;

	if (!text || !has_shape(text, "0000-00-00T00:00:00"))
		return -1;
	p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!p || !is_day(&tm))
		return -1;
	if (has_shape(p, ".0"))
		p += 1 + strspn(p + 1, "0123456789");
	return parse_offset(p, &offset) ? timegm(&tm) - offset : -1;
}
