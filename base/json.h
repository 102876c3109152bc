/* SPDX-License-Identifier: Apache-2.0 */
/* base/json.h - jansson with cleanup, limits, and getters whose errors name the field.
 *
 * json_t values are reference counted; a function returning json_t * gives the caller a new
 * reference unless it says "borrowed". Values are not thread-safe: hand whole trees over, or copy.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sbuf.h"

#define JSON_DEPTH_LIMIT 64

static inline void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define _json_ __attribute__((cleanup(cleanup_json)))

/* Duplicate keys, trailing bytes, depth over the limit and embedded NULs are refused. `what`
 * names the text in the error ("request body"). */
json_t *json_parse(const char *text, size_t len, const char *what, struct err *err);
/* Compact text; the caller frees. */
char *json_text(const json_t *j);
void json_append(struct sbuf *b, const json_t *j);

/* Borrowed lookups that never fail: absent or of another type gives the default. */
const char *json_str(const json_t *obj, const char *key, const char *dflt);
int64_t json_int(const json_t *obj, const char *key, int64_t dflt);
bool json_bool(const json_t *obj, const char *key, bool dflt);
json_t *json_obj(const json_t *obj, const char *key); /* borrowed; NULL unless an object */
json_t *json_arr(const json_t *obj, const char *key); /* borrowed; NULL unless an array */
/* Is the text in the list? Not in NULL. */
bool json_lists(const json_t *list, const char *text);

/* What a request body may hold. Keys compare case-insensitively, as LXD's clients expect. */
enum json_want { JW_STR, JW_INT, JW_BOOL, JW_OBJ, JW_ARR, JW_STR_MAP, JW_STR_LIST, JW_ANY };
struct json_field {
	const char *key;
	enum json_want want;
	bool required;
};
/* ERR_INVALID names the first field that is unknown, missing, repeated in another case or wrongly
 * typed, with `what` as the object. null passes for every optional field. On success the object's
 * keys are spelled as in `fields`. `fields` ends with { NULL }. */
int json_check(json_t *obj, const struct json_field *fields, const char *what, struct err *err);

/* Setters: steal nothing, ignore NULL strings. */
void json_put_str(json_t *obj, const char *key, const char *value);
void json_put_int(json_t *obj, const char *key, int64_t value);
void json_put_bool(json_t *obj, const char *key, bool value);
