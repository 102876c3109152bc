/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int http;
	const char *sentence;
} kinds[ERR_MAX] = {
	[ERR_NONE] = { "ERR_NONE", 200, "success" },
#define ERR(kind, http, sentence) [kind] = { #kind, http, sentence },
#include "base/err.def"
#undef ERR
};

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	assert(kind < ERR_MAX);
	err->kind = kind;
	err->sys = 0;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return -1;
}

static enum err_kind kind_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_CONFLICT;
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EPIPE:
		return ERR_UNAVAILABLE;
	default:
		return ERR_INTERNAL;
	}
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(sys));
	err->sys = sys;
	err->kind = kind_of_errno(sys);
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char inner[sizeof(err->msg)];
	va_list ap;
	size_t n;

	memcpy(inner, err->msg, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", inner);
	return -1;
}

int err_wrap_name(struct err *err, const char *noun, const char *name)
{
	if (*name && strstr(err->msg, name))
		return -1;
	return err_wrap(err, "%s \"%.80s\"", noun, name);
}

int err_blame_path(struct err *err)
{
	static const struct {
		int sys;
		enum err_kind kind;
	} theirs[] = {
		{ ENOTDIR, ERR_INVALID },  { EISDIR, ERR_INVALID },  { ELOOP, ERR_INVALID },
		{ EINVAL, ERR_INVALID },   { ENXIO, ERR_INVALID },   { ENAMETOOLONG, ERR_INVALID },
		{ EPERM, ERR_CONFLICT },   { EACCES, ERR_CONFLICT }, { EROFS, ERR_CONFLICT },
		{ ETXTBSY, ERR_CONFLICT }, { EBUSY, ERR_CONFLICT },
	};

	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		if (err->kind == ERR_INTERNAL && err->sys == theirs[i].sys)
			err->kind = theirs[i].kind;
	return -1;
}

int err_http(enum err_kind kind)
{
	assert(kind < ERR_MAX);
	return kinds[kind].http;
}

const char *err_sentence(enum err_kind kind)
{
	return kinds[kind].sentence;
}

const char *err_name(enum err_kind kind)
{
	return kinds[kind].name;
}

enum err_kind err_from_name(const char *name)
{
	for (int k = 1; name && k < ERR_MAX; k++) {
		if (strcmp(kinds[k].name, name) == 0)
			return k;
	}
	return ERR_INTERNAL;
}

enum err_kind err_from_http(int status)
{
	for (int k = 1; k < ERR_MAX; k++) {
		if (kinds[k].http == status)
			return k;
	}
	return status >= 500 ? ERR_INTERNAL : ERR_INVALID;
}
