/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/key_rows.h - what holds of every table of keys. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/keys.h"
#include "base/mem.h"
#include "base/str.h"

struct key_value {
	const struct keys *keys;
	const char *key, *value;
	bool ok;
};

static inline int key_try(const struct keys *keys, const char *name, const char *value,
			  struct err *err)
{
	_json_ json_t *config = json_object();

	json_put_str(config, name, value);
	return keys_check(keys, "thing \"t\"", config, NULL, err);
}

/* Each is taken, or refused with the names of the object and the key. */
static inline void keys_take(const struct key_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err err = { 0 };

		if ((key_try(v[i].keys, v[i].key, v[i].value, &err) == 0) != v[i].ok)
			fail_msg("%s=%s: expected %s", v[i].key, v[i].value,
				 v[i].ok ? "success" : "a refusal");
		if (v[i].ok)
			continue;
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, v[i].key));
		assert_non_null(strstr(err.msg, "thing \"t\""));
	}
}

/* The row's name with "x" for the star; the caller frees. */
static inline char *key_name_of(const struct key *k)
{
	size_t before = strcspn(k->name, "*");

	return k->name[before] ? xasprintf("%.*sx%s", (int)before, k->name, k->name + before + 1)
			       : xstrdup(k->name);
}

/* Fails unless the value is refused, and named with its key. */
static inline void key_refuses(const struct keys *keys, const struct key *k, const char *value)
{
	_free_ char *name = key_name_of(k), *start = xstrndup(value, 40);
	struct err err = { 0 };

	if (key_try(keys, name, value, &err) == 0)
		fail_msg("%s takes \"%s\"", name, start);
	assert_int_equal(err.kind, ERR_INVALID);
	if (!strstr(err.msg, name) || (strlen(value) < 60 && !strstr(err.msg, start)))
		fail_msg("%s = %s: %s", name, value, err.msg);
}

/* A value that the row takes: its default, a word, its highest number, or the first good one of
 * the list. NULL: none is known. */
static inline const char *key_good_value(const struct keys *keys, const struct key *k,
					 const struct key_value *v, size_t n, char buf[32])
{
	if (k->dflt)
		return k->dflt;
	if (k->holds == KEY_HOLDS_WORDS)
		return k->words[0];
	snprintf(buf, 32, "%lld", (long long)k->max);
	if (k->holds == KEY_HOLDS_NUMBER)
		return buf;
	if (k->holds == KEY_HOLDS_BOOL || k->holds == KEY_HOLDS_TEXT)
		return "true";
	for (size_t i = 0; i < n; i++) {
		if (v[i].ok && v[i].keys == keys && keys_find(keys, v[i].key) == k)
			return v[i].value;
	}
	return NULL;
}

static inline void key_number_holds(const struct keys *keys, const struct key *k)
{
	static const char *const none[] = {
		"1.5",      " 1",  "1 ",   "0x10", "1e3",
		"\xd9\xa3", "one", "1GiB", "+1",   "99999999999999999999"
	};
	_free_ char *below = xasprintf("%lld", (long long)k->min - 1);
	_free_ char *above = xasprintf("%lld", (long long)k->max + 1);

	assert_true(k->min < k->max);
	if (!k->dflt && k->min <= 0) /* 0 means unset */
		fail_msg("%s has no default and takes 0", k->name);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		key_refuses(keys, k, none[i]);
	key_refuses(keys, k, below);
	key_refuses(keys, k, above);
}

static inline void key_row_holds(const struct keys *keys, const struct key *k,
				 const struct key_value *v, size_t n)
{
	static const char *const no_bools[] = { "maybe", " true", "true ", "2", "tru\xc3\xa9" };
	_free_ char *huge = xcalloc((64 << 10) + 2, 1), *name = key_name_of(k);
	struct err err = { 0 };
	const char *good;
	char buf[32];

	memset(huge, '1', (64 << 10) + 1);
	key_refuses(keys, k, huge);
	if (k->refused) {
		key_refuses(keys, k, "true");
		return;
	}
	good = key_good_value(keys, k, v, n, buf);
	if (!good)
		fail_msg("the list has no good value for %s", k->name);
	else if (key_try(keys, name, good, &err) < 0)
		fail_msg("%s", err.msg);
	if (k->holds == KEY_HOLDS_NUMBER)
		key_number_holds(keys, k);
	for (size_t i = 0; k->holds == KEY_HOLDS_BOOL && i < ARRAY_SIZE(no_bools); i++)
		key_refuses(keys, k, no_bools[i]);
	if (k->holds == KEY_HOLDS_WORDS)
		key_refuses(keys, k, "NoSuchWord");
	if (k->holds != KEY_HOLDS_TEXT)
		key_refuses(keys, k, "a\nb");
}

/* Every row is found by its name, takes its default, explains itself, and refuses what no value of
 * its type is. values: a good one for each row whose rule is a function. */
static inline void keys_rows_hold(const struct keys *keys, const struct key_value *v, size_t n)
{
	size_t rows = 0;

	for (const struct key *k = keys->rows; k->name; k++) {
		_free_ char *name = key_name_of(k);

		if (!key_is_of(keys, k))
			continue;
		assert_ptr_equal(keys_find(keys, name), k);
		assert_true(strlen(k->doc) > 2);
		key_row_holds(keys, k, v, n);
		rows++;
	}
	assert_true(rows > 0);
}
