/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/quoted.h - JSON in a C string, with single quotes in place of double ones. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

/* The caller frees. */
static inline char *quoted_text(const char *text)
{
	char *copy = xstrdup(text);

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return copy;
}

/* New reference. */
static inline json_t *quoted(const char *text)
{
	_free_ char *copy = quoted_text(text);
	struct err err = { 0 };
	json_t *j = json_parse(copy, strlen(copy), "case", &err);

	if (!j)
		fail_msg("%s: %s", copy, err.msg);
	return j;
}
