/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/snapshots.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"

#define NAME_MAX_BYTES 63
#define SPAN_MAX 100000 /* of one unit */
#define LAST_TIME 253402300799 /* of four digits' years */

/* --- spans ----------------------------------------------------------------------------------- */

static const struct {
	char unit;
	int seconds, days, months;
} units[] = {
	{ 'M', .seconds = 60 }, { 'H', .seconds = 3600 }, { 'd', .days = 1 },
	{ 'w', .days = 7 },	{ 'm', .months = 1 },	  { 'y', .months = 12 },
};

/* The number at *p, which goes behind it; -1: there is none up to max. */
static int64_t take_number(const char **p, int64_t max)
{
	size_t len = strspn(*p, "0123456789");
	_free_ char *digits = xstrndup(*p, len);
	int64_t n;

	*p += len;
	return str_to_i64(digits, 0, max, &n) ? n : -1;
}

/* Adds what a span says to tm; false when it is none. */
static bool add_span(const char *text, struct tm *tm)
{
	const char *p = text;

	while (*(p += strspn(p, " "))) {
		int64_t n = take_number(&p, SPAN_MAX);
		size_t i = 0;

		while (i < ARRAY_SIZE(units) && units[i].unit != *p)
			i++;
		if (n < 1 || i == ARRAY_SIZE(units) || (p[1] && p[1] != ' '))
			return false;
		tm->tm_sec += (int)(units[i].seconds * n % 60);
		tm->tm_min += (int)(units[i].seconds * n / 60);
		tm->tm_mday += (int)(units[i].days * n);
		tm->tm_mon += (int)(units[i].months * n);
		p++;
	}
	return true;
}

const char *snapshots_expiry_wrong(const char *text)
{
	struct tm tm = { 0 };

	return add_span(text, &tm) ? NULL : "it is no span such as \"1M 2H 3d 4w 5m 6y\"";
}

int64_t snapshots_expire_at(const char *text, int64_t from)
{
	time_t start = (time_t)from;
	struct tm tm;
	int64_t at;

	if (str_empty(text) || !gmtime_r(&start, &tm) || !add_span(text, &tm))
		return 0;
	at = timegm(&tm);
	return at > LAST_TIME ? LAST_TIME : at;
}

/* --- names ----------------------------------------------------------------------------------- */

#define DATE_BEGIN "{{"
#define DATE_END "}}"

/* Numbers of Go's reference time. */
static const struct {
	const char *of_layout;
	size_t at; /* in struct tm */
	int begins;
} parts[] = {
	{ "2006", offsetof(struct tm, tm_year), 1900 }, { "01", offsetof(struct tm, tm_mon), 1 },
	{ "02", offsetof(struct tm, tm_mday), 0 },	{ "15", offsetof(struct tm, tm_hour), 0 },
	{ "04", offsetof(struct tm, tm_min), 0 },	{ "05", offsetof(struct tm, tm_sec), 0 },
};

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " ");
}

/* Behind "creation_date|date:'LAYOUT' }}", which begins at p; NULL when there is something else. */
static const char *parse_date(const char *p, const char **ret_layout, size_t *ret_len)
{
	static const char filter[] = "creation_date|date:'";
	const char *end;

	p = skip_blanks(p);
	if (!str_starts(p, filter))
		return NULL;
	*ret_layout = p + strlen(filter);
	end = strchr(*ret_layout, '\'');
	if (!end)
		return NULL;
	*ret_len = (size_t)(end - *ret_layout);
	end = skip_blanks(end + 1);
	return str_starts(end, DATE_END) ? end + strlen(DATE_END) : NULL;
}

static void add_date(struct sbuf *out, const char *layout, size_t len, const struct tm *tm)
{
	const char *end = layout + len;

	while (layout < end) {
		size_t i = 0;

		while (i < ARRAY_SIZE(parts) && !str_starts(layout, parts[i].of_layout))
			i++;
		if (i == ARRAY_SIZE(parts)) {
			sbuf_putc(out, *layout++);
			continue;
		}
		sbuf_printf(out, "%0*d", (int)strlen(parts[i].of_layout),
			    *(const int *)((const char *)tm + parts[i].at) + parts[i].begins);
		layout += strlen(parts[i].of_layout);
	}
}

/* The pattern with its dates filled in; NULL when it is none. */
static char *fill_in(const char *pattern, int64_t now)
{
	struct sbuf out = SBUF(4096);
	time_t wall = (time_t)now;
	struct tm tm = { 0 };

	gmtime_r(&wall, &tm);
	for (const char *p = pattern; p && *p;) {
		const char *layout;
		size_t len;

		if (!str_starts(p, DATE_BEGIN)) {
			sbuf_putc(&out, *p++);
			continue;
		}
		p = parse_date(p + strlen(DATE_BEGIN), &layout, &len);
		if (!p) {
			sbuf_free(&out);
			return NULL;
		}
		add_date(&out, layout, len, &tm);
	}
	return sbuf_take(&out);
}

const char *snapshots_pattern_wrong(const char *text)
{
	_free_ char *name = fill_in(text, 0);
	const char *number = name ? strstr(name, "%d") : NULL;

	if (!name)
		return "it is a name with \"%d\" or \"{{ creation_date|date:'2006-01-02' }}\"";
	if (number && strchr(number + 1, '%'))
		return "it has more than one \"%\"";
	if (!str_is_name(name, NAME_MAX_BYTES - 8) || strpbrk(name, " ~"))
		return "it is no name of a snapshot";
	return NULL;
}

/* The number that name has where the pattern has "%d", whose first `head` bytes come before it; -1:
 * none. */
static int64_t number_in(const char *name, const char *pattern, size_t head)
{
	const char *p = name + head;
	int64_t n;

	if (strncmp(name, pattern, head) != 0)
		return -1;
	n = take_number(&p, INT32_MAX);
	return str_eq(p, pattern + head + strlen("%d")) ? n : -1;
}

static char *with_number(const char *pattern, const char *const *names, int count)
{
	size_t head = (size_t)(strstr(pattern, "%d") - pattern);
	int64_t next = 0;

	for (int i = 0; i < count; i++) {
		int64_t n = number_in(names[i], pattern, head);

		next = n >= next ? n + 1 : next;
	}
	return xasprintf("%.*s%lld%s", (int)head, pattern, (long long)next,
			 pattern + head + strlen("%d"));
}

char *snapshots_name(const char *pattern, int64_t now, const char *const *names, int count)
{
	_free_ char *name = fill_in(pattern, now), *numbered = NULL;
	bool taken = false;

	assert(name);
	if (strstr(name, "%d"))
		return with_number(name, names, count);
	for (int i = 0; i < count; i++)
		taken |= str_eq(names[i], name);
	if (!taken)
		return take_ptr(name);
	numbered = xasprintf("%s-%%d", name);
	return with_number(numbered, names, count);
}
