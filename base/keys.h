/* SPDX-License-Identifier: Apache-2.0 */
/* base/keys.h - tables of configuration keys: what a configuration may hold, and the only way to
 * read it.
 *
 * A table is a .def file beside the code that reads the keys:
 *
 *     KEY(scope, "name", HOLDS, default, WHEN, "what it is")
 *     REFUSED(scope, "name", "why one of LXD's keys can't be set")
 *
 * One table may serve several scopes (types of device); rows of `any` are in all of them. A "*" in
 * a name stands for one or more bytes. HOLDS is what a value may be:
 *
 *     TEXT               anything
 *     BOOL               true, false, and what else str_to_bool() takes
 *     NUMBER(min, max)   a whole number; a row without default takes no 0, which means unset
 *     WORDS(a, b...)     one of them
 *     CHECKED(f)         text that f finds right: const char *f(const char *text) returns NULL, or
 *                        what the text must be ("must be an IPv4 address")
 *     PARSED(f)          what the key_parser f makes something of
 *
 * To check a value is to read it, by the same function. Who reads, names the key and no default:
 * that is the row's. A key that is no row of the table can't be read (assert).
 */
#pragma once
#include "base/json.h"

enum key_holds {
	KEY_HOLDS_TEXT,
	KEY_HOLDS_BOOL,
	KEY_HOLDS_NUMBER,
	KEY_HOLDS_WORDS,
	KEY_HOLDS_CHECKED,
	KEY_HOLDS_PARSED
};

/* When a changed value counts. */
enum key_when {
#define KEY_WHEN(id, doc) KEY_##id,
#include "base/keys.def"
#undef KEY_WHEN
	KEY_WHEN_MAX
};

/* Reads a value into ret, of the type that the parser documents; ret may be NULL, to check only.
 * The error is ERR_INVALID and says what the value must be. */
typedef int key_parser(const char *text, void *ret, struct err *err);

struct key {
	const char *scope, *name;
	enum key_holds holds;
	int64_t min, max;         /* of a NUMBER */
	const char *const *words; /* ends with NULL */
	const char *(*check)(const char *text);
	key_parser *parse;
	const char *dflt; /* NULL: none */
	enum key_when when;
	const char *doc;
	const char *refused; /* why it can't be set; NULL: it can */
};

/* The keys of one kind of object. */
struct keys {
	const struct key *rows; /* end with name NULL */
	const char *scope;      /* NULL: every row */
};

/* --- making a table: #define KEY(...) KEY_ROW(__VA_ARGS__), and REFUSED likewise -------------- */

#define KEY_IS_TEXT .holds = KEY_HOLDS_TEXT
#define KEY_IS_BOOL .holds = KEY_HOLDS_BOOL
#define KEY_IS_NUMBER(least, most) .holds = KEY_HOLDS_NUMBER, .min = (least), .max = (most)
#define KEY_IS_WORDS(...)                                        \
	.holds = KEY_HOLDS_WORDS, .words = (const char *const[]) \
	{                                                        \
		__VA_ARGS__, NULL                                \
	}
#define KEY_IS_CHECKED(function) .holds = KEY_HOLDS_CHECKED, .check = function
#define KEY_IS_PARSED(function) .holds = KEY_HOLDS_PARSED, .parse = function
#define KEY_ROW(of, key, what, value, from, text) \
	{ .scope = #of,                           \
	  .name = key,                            \
	  KEY_IS_##what,                          \
	  .dflt = value,                          \
	  .when = KEY_##from,                     \
	  .doc = text },
#define KEY_REFUSED(of, key, why) \
	{ .scope = #of, .name = key, .when = KEY_UNREAD, .doc = why, .refused = why },
#define KEY_END              \
	{                    \
		.name = NULL \
	}

/* --- looking --------------------------------------------------------------------------------- */

/* By exact name, or the wildcard that covers it; NULL when unknown. It may be a refused one. */
const struct key *keys_find(const struct keys *keys, const char *name);
bool key_is_of(const struct keys *keys, const struct key *row);
/* The first scope of a table whose rows have all keys of a configuration: the type of a device, by
 * the options it has. NULL when there is none. */
const char *keys_scope_of(const struct key *rows, const json_t *config);
/* Puts it as "type" into a configuration that we have made ourselves: there is one. */
void keys_put_type(const struct key *rows, json_t *config);

/* --- reading --------------------------------------------------------------------------------- */

/* The value, else the row's default, as the row says: a const char * (TEXT, WORDS, CHECKED), bool
 * (BOOL), int64_t (NUMBER) or what the parser makes. 1 when there was something to read, 0 when it
 * is unset and has no default (ret is untouched), -1 with err that names key and value. */
int keys_read(const struct keys *keys, const json_t *config, const char *name, void *ret,
	      struct err *err);
/* The same of one value (NULL or "": unset) that stands in no configuration. */
int keys_read_value(const struct keys *keys, const char *name, const char *value, void *ret,
		    struct err *err);

/* These never fail: a value that an older version took and that can't be read now counts as unset.
 * keys_get() leaves ret untouched when there is no default either. The text is borrowed; NULL when
 * unset without default. The others are false and 0 then. */
void keys_get(const struct keys *keys, const json_t *config, const char *name, void *ret);
const char *keys_text(const struct keys *keys, const json_t *config, const char *name);
bool keys_bool(const struct keys *keys, const json_t *config, const char *name);
int64_t keys_number(const struct keys *keys, const json_t *config, const char *name);

/* --- checking -------------------------------------------------------------------------------- */

/* Checks in place: numbers and booleans become strings, null and "" disappear. ERR_INVALID names
 * `what` (object and its name), the key and the value. What is as in old (NULL: nothing) passes:
 * what an older version took does not stand in the way of other changes. Where old says that the
 * object exists, a key that counts only at its creation (CREATE) can't get another value. */
int keys_check(const struct keys *keys, const char *what, json_t *config, const json_t *old,
	       struct err *err);
