/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"

#define LINE_MAX_BYTES 4096

enum log_level log_max = LOG_INFO;
static bool prefixed, dated;

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN },   { "info", LOG_INFO },
	{ "debug", LOG_DEBUG }, { "trace", LOG_TRACE },
};

void log_init(enum log_level max)
{
	log_max = max;
	prefixed = !isatty(STDERR_FILENO);
	dated = getenv("JOURNAL_STREAM") == NULL;
}

int log_level_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(levels[i].name, name) == 0)
			return levels[i].level;
	}
	return -1;
}

static const char *level_name(enum log_level level)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (levels[i].level == level)
			return levels[i].name;
	}
	return "?";
}

static void prefix(struct sbuf *b, enum log_level level)
{
	struct timespec ts;
	struct tm tm;

	if (prefixed)
		sbuf_printf(b, "<%d>", level > LOG_DEBUG ? LOG_DEBUG : level);
	if (!dated)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	sbuf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %-5s ", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		    ts.tv_nsec / 1000000, level_name(level));
}

/* A blank, a quote or a control byte: the value would read as something else. */
static bool needs_quotes(const char *v)
{
	const char *p = v;

	while ((unsigned char)*p > ' ' && *p != '"' && *p != '=' && *p != 0x7f)
		p++;
	return *p || p == v;
}

static void value(struct sbuf *b, const char *v)
{
	if (!v)
		v = "-";
	if (!needs_quotes(v))
		sbuf_puts(b, v);
	else
		sbuf_json_string(b, v);
}

/* One write(2) per line, so that lines of several threads never mix. */
static void emit(struct sbuf *b)
{
	sbuf_putc(b, '\n');
	if (b->overflow && b->len)
		b->data[b->len - 1] = '\n';
	if (write(STDERR_FILENO, b->data, b->len) < 0)
		return;
}

void log_write(enum log_level level, const char *msg, ...)
{
	_sbuf_ struct sbuf b = SBUF(LINE_MAX_BYTES);
	const char *key;
	va_list ap;

	prefix(&b, level);
	sbuf_puts(&b, msg);
	va_start(ap, msg);
	while ((key = va_arg(ap, const char *))) {
		sbuf_printf(&b, " %s=", key);
		value(&b, va_arg(ap, const char *));
	}
	va_end(ap);
	emit(&b);
}

void log_err(enum log_level level, const char *msg, const struct err *err)
{
	log_at(level, msg, "error", err->msg, "kind", err_name(err->kind));
}
