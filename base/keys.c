/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keys.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define VALUE_MAX (64 << 10)
#define NAME_BYTES_MAX 255
#define SHOULD_MAX 512

/* --- looking --------------------------------------------------------------------------------- */

bool key_is_of(const struct keys *keys, const struct key *row)
{
	return !keys->scope || str_eq(row->scope, keys->scope) || str_eq(row->scope, "any");
}

static bool matches(const struct key *k, const char *name)
{
	const char *star = strchr(k->name, '*');
	size_t before;

	if (!star)
		return str_eq(k->name, name);
	before = (size_t)(star - k->name);
	return strlen(name) > strlen(k->name) - 1 && strncmp(k->name, name, before) == 0 &&
	       str_ends(name, star + 1);
}

const struct key *keys_find(const struct keys *keys, const char *name)
{
	assert(keys);
	assert(keys->rows);
	for (const struct key *k = keys->rows; k->name; k++) {
		if (key_is_of(keys, k) && matches(k, name))
			return k;
	}
	return NULL;
}

static bool has_all(const struct keys *keys, const json_t *config)
{
	const struct key *k;
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)config, name, v) {
		k = keys_find(keys, name);
		if (!k || k->refused)
			return false;
	}
	return true;
}

const char *keys_scope_of(const struct key *rows, const json_t *config)
{
	assert(rows);
	for (const struct key *k = rows; k->name; k++) {
		if (!str_eq(k->scope, "any") && has_all(&(struct keys){ rows, k->scope }, config))
			return k->scope;
	}
	return NULL;
}

void keys_put_type(const struct key *rows, json_t *config)
{
	const char *type = keys_scope_of(rows, config);

	assert(type);
	json_put_str(config, "type", type);
}

/* --- reading --------------------------------------------------------------------------------- */

static int read_text(const struct key *k, const char *v, const char **ret, struct err *err)
{
	const char *wrong = k->check ? k->check(v) : NULL;

	if (wrong)
		return err_set(err, ERR_INVALID, "%s", wrong);
	if (ret)
		*ret = v;
	return 0;
}

static int read_bool(const char *v, bool *ret, struct err *err)
{
	bool b;

	if (!str_to_bool(v, &b))
		return err_set(err, ERR_INVALID, "must be true or false");
	if (ret)
		*ret = b;
	return 0;
}

static int read_number(const struct key *k, const char *v, int64_t *ret, struct err *err)
{
	int64_t i;

	if (!str_to_i64(v, k->min, k->max, &i))
		return err_set(err, ERR_INVALID, "must be a whole number from %lld to %lld",
			       (long long)k->min, (long long)k->max);
	if (ret)
		*ret = i;
	return 0;
}

static int read_word(const struct key *k, const char *v, const char **ret, struct err *err)
{
	_sbuf_ struct sbuf should = SBUF(SHOULD_MAX);

	for (size_t i = 0; k->words[i]; i++) {
		if (str_eq(v, k->words[i])) {
			if (ret)
				*ret = v;
			return 0;
		}
		sbuf_printf(&should, "%s%s",
			    i == 0            ? "must be "
			    : k->words[i + 1] ? ", "
					      : " or ",
			    k->words[i]);
	}
	return err_set(err, ERR_INVALID, "%s", should.data);
}

static int read_by_row(const struct key *k, const char *v, void *ret, struct err *err)
{
	switch (k->holds) {
	case KEY_HOLDS_BOOL:
		return read_bool(v, ret, err);
	case KEY_HOLDS_NUMBER:
		return read_number(k, v, ret, err);
	case KEY_HOLDS_WORDS:
		return read_word(k, v, ret, err);
	case KEY_HOLDS_PARSED:
		return k->parse(v, ret, err);
	default:
		return read_text(k, v, ret, err);
	}
}

static int read_value(const struct key *k, const char *name, const char *v, void *ret,
		      struct err *err)
{
	struct err why = { 0 };

	if (read_by_row(k, v, ret, &why) == 0)
		return 0;
	assert(why.kind);
	return err_set(err, why.kind, "invalid value \"%.60s\" for key \"%.80s\": %s", v, name,
		       why.msg);
}

/* What can be read at all, or a bug. */
static const struct key *row_of(const struct keys *keys, const char *name)
{
	const struct key *k = keys_find(keys, name);

	assert(k);
	assert(!k->refused);
	return k;
}

int keys_read_value(const struct keys *keys, const char *name, const char *value, void *ret,
		    struct err *err)
{
	const struct key *k = row_of(keys, name);
	const char *v = str_empty(value) ? k->dflt : value;

	if (!v)
		return 0;
	return read_value(k, name, v, ret, err) < 0 ? -1 : 1;
}

int keys_read(const struct keys *keys, const json_t *config, const char *name, void *ret,
	      struct err *err)
{
	return keys_read_value(keys, name, json_str(config, name, NULL), ret, err);
}

void keys_get(const struct keys *keys, const json_t *config, const char *name, void *ret)
{
	struct err ignored;
	int rc = keys_read(keys, config, name, ret, &ignored);

	if (rc < 0)
		rc = keys_read(keys, NULL, name, ret, &ignored);
	assert(rc >= 0); /* a default can be read */
}

const char *keys_text(const struct keys *keys, const json_t *config, const char *name)
{
	const struct key *k = row_of(keys, name);
	const char *v = json_str(config, name, NULL);

	return str_empty(v) ? k->dflt : v;
}

bool keys_bool(const struct keys *keys, const json_t *config, const char *name)
{
	bool b = false;

	assert(row_of(keys, name)->holds == KEY_HOLDS_BOOL);
	keys_get(keys, config, name, &b);
	return b;
}

int64_t keys_number(const struct keys *keys, const json_t *config, const char *name)
{
	int64_t i = 0;

	assert(row_of(keys, name)->holds == KEY_HOLDS_NUMBER);
	keys_get(keys, config, name, &i);
	return i;
}

/* --- checking -------------------------------------------------------------------------------- */

/* What stands for the "*" of a row becomes part of files and environments. */
static bool is_key_name(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		if (isspace((unsigned char)name[i]) || iscntrl((unsigned char)name[i]) ||
		    name[i] == '=')
			return false;
	}
	return n <= NAME_BYTES_MAX;
}

/* Perhaps it is a key of another type of the same table. */
static int refuse_unknown(const struct keys *keys, const char *what, const char *name,
			  struct err *err)
{
	const struct keys all = { keys->rows, NULL };
	const struct key *other = keys_find(&all, name);

	if (!other || other->refused || strchr(other->name, '*'))
		return err_set(err, ERR_INVALID, "%s: unknown configuration key \"%.80s\"", what,
			       name);
	return err_set(err, ERR_INVALID,
		       "%s: unknown configuration key \"%.80s\": it is one of type %s, and this is "
		       "%s",
		       what, name, other->scope, keys->scope);
}

/* exists: not just being created. */
static int check_one(const struct keys *keys, bool exists, const char *what, const char *name,
		     const char *v, struct err *err)
{
	const struct key *k = keys_find(keys, name);

	if (!k || !is_key_name(name))
		return refuse_unknown(keys, what, name, err);
	if (strlen(v) > VALUE_MAX)
		return err_set(err, ERR_INVALID,
			       "%s: the value of \"%.80s\" is longer than %d bytes", what, name,
			       VALUE_MAX);
	if (!*v)
		return 0;
	if (k->refused)
		return err_set(err, ERR_INVALID, "%s: \"%s\" can't be set (to \"%.60s\"): %s", what,
			       name, v, k->refused);
	if (exists && k->when == KEY_CREATE)
		return err_set(err, ERR_INVALID,
			       "%s: \"%s\" can't be changed (to \"%.60s\"): it counts only when "
			       "something is created",
			       what, name, v);
	return read_value(k, name, v, NULL, err) < 0 ? err_wrap(err, "%s", what) : 0;
}

/* A string for any scalar, NULL for lists and objects; the caller frees. */
static char *scalar_text(const json_t *v)
{
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	if (json_is_null(v))
		return xstrdup("");
	if (json_is_object(v) || json_is_array(v))
		return NULL;
	return json_text(v);
}

int keys_check(const struct keys *keys, const char *what, json_t *config, const json_t *old,
	       struct err *err)
{
	const char *name;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(config, tmp, name, v) {
		_free_ char *text = scalar_text(v);

		if (!text)
			return err_set(err, ERR_INVALID,
				       "%s: the value of \"%.80s\" must be a string", what, name);
		if (!str_eq(text, json_str(old, name, NULL)) &&
		    check_one(keys, old != NULL, what, name, text, err) < 0)
			return -1;
		if (!*text)
			json_object_del(config, name);
		else if (!json_is_string(v))
			json_object_set_new(config, name, json_string(text));
	}
	return 0;
}
