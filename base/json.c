/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

static int depth(const json_t *j, int left)
{
	const char *key;
	json_t *v;
	size_t i;

	if (left == 0)
		return -1;
	json_object_foreach((json_t *)j, key, v)
		if (depth(v, left - 1) < 0)
			return -1;
	json_array_foreach(j, i, v)
		if (depth(v, left - 1) < 0)
			return -1;
	return 0;
}

json_t *json_parse(const char *text, size_t len, const char *what, struct err *err)
{
	json_error_t je;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);

	if (!j) {
		err_set(err, ERR_INVALID, "%s: not valid JSON at line %d: %s", what, je.line,
			je.text);
		return NULL;
	}
	if (depth(j, JSON_DEPTH_LIMIT) < 0) {
		json_decref(j);
		err_set(err, ERR_INVALID, "%s: nested deeper than %d levels", what,
			JSON_DEPTH_LIMIT);
		return NULL;
	}
	return j;
}

char *json_text(const json_t *j)
{
	char *s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	return s ? s : xstrdup("null");
}

static int append_cb(const char *data, size_t len, void *b)
{
	sbuf_add(b, data, len);
	return 0;
}

void json_append(struct sbuf *b, const json_t *j)
{
	json_dump_callback(j, append_cb, b, JSON_COMPACT | JSON_ENCODE_ANY);
}

const char *json_str(const json_t *obj, const char *key, const char *dflt)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : dflt;
}

int64_t json_int(const json_t *obj, const char *key, int64_t dflt)
{
	json_t *v = json_object_get(obj, key);

	return json_is_integer(v) ? json_integer_value(v) : dflt;
}

bool json_bool(const json_t *obj, const char *key, bool dflt)
{
	json_t *v = json_object_get(obj, key);

	return json_is_boolean(v) ? json_is_true(v) : dflt;
}

json_t *json_obj(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_object(v) ? v : NULL;
}

json_t *json_arr(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_array(v) ? v : NULL;
}

static bool all_strings(const json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	json_object_foreach((json_t *)v, key, item)
		if (!json_is_string(item))
			return false;
	json_array_foreach(v, i, item)
		if (!json_is_string(item))
			return false;
	return true;
}

static const struct {
	const char *name;
} wants[] = {
	[JW_STR] = { "a string" },
	[JW_INT] = { "an integer" },
	[JW_BOOL] = { "true or false" },
	[JW_OBJ] = { "an object" },
	[JW_ARR] = { "a list" },
	[JW_STR_MAP] = { "an object whose values are strings" },
	[JW_STR_LIST] = { "a list of strings" },
	[JW_ANY] = { "any value" },
};

static bool fits(const json_t *v, enum json_want want)
{
	switch (want) {
	case JW_STR:
		return json_is_string(v);
	case JW_INT:
		return json_is_integer(v);
	case JW_BOOL:
		return json_is_boolean(v);
	case JW_OBJ:
		return json_is_object(v);
	case JW_ARR:
		return json_is_array(v);
	case JW_STR_MAP:
		return json_is_object(v) && all_strings(v);
	case JW_STR_LIST:
		return json_is_array(v) && all_strings(v);
	case JW_ANY:
		return true;
	}
	return false;
}

static const struct json_field *find_field(const struct json_field *fields, const char *key)
{
	for (; fields->key; fields++) {
		if (strcasecmp(fields->key, key) == 0)
			return fields;
	}
	return NULL;
}

static int check_known(json_t *obj, const struct json_field *fields, const char *what,
		       struct err *err)
{
	const char *key;
	void *tmp;
	json_t *v;

	json_object_foreach_safe(obj, tmp, key, v) {
		const struct json_field *f = find_field(fields, key);

		if (!f)
			return err_set(err, ERR_INVALID, "%s: unknown field \"%.80s\"", what, key);
		if (!json_is_null(v) && !fits(v, f->want))
			return err_set(err, ERR_INVALID, "%s: field \"%s\" must be %s", what,
				       f->key, wants[f->want].name);
		if (strcmp(f->key, key) == 0)
			continue;
		if (json_object_get(obj, f->key))
			return err_set(err, ERR_INVALID, "%s: field \"%s\" appears twice", what,
				       f->key);
		json_object_set(obj, f->key, v);
		json_object_del(obj, key);
	}
	return 0;
}

int json_check(json_t *obj, const struct json_field *fields, const char *what, struct err *err)
{
	if (!json_is_object(obj))
		return err_set(err, ERR_INVALID, "%s must be a JSON object", what);
	if (check_known(obj, fields, what, err) < 0)
		return -1;
	for (; fields->key; fields++) {
		json_t *v = json_object_get(obj, fields->key);

		if (fields->required && (!v || json_is_null(v)))
			return err_set(err, ERR_INVALID, "%s: field \"%s\" is missing", what,
				       fields->key);
	}
	return 0;
}

bool json_lists(const json_t *list, const char *text)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)list, i, v) {
		if (str_eq(json_string_value(v), text))
			return true;
	}
	return false;
}

void json_put_str(json_t *obj, const char *key, const char *value)
{
	if (value)
		json_object_set_new(obj, key, json_string(value));
}

void json_put_int(json_t *obj, const char *key, int64_t value)
{
	json_object_set_new(obj, key, json_integer(value));
}

void json_put_bool(json_t *obj, const char *key, bool value)
{
	json_object_set_new(obj, key, json_boolean(value));
}
