/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/keys.h - the table of configuration keys (api/work/keys.def), and checks of whole
 * configurations.
 */
#pragma once
#include "base/json.h"

enum keys_of {
	KEYS_INSTANCE,
	KEYS_NETWORK,
	KEYS_POOL,
	KEYS_SERVER,
	KEYS_MEMBER,
	KEYS_NIC,
	KEYS_DISK,
	KEYS_NONE,
	KEYS_IMAGE
};
enum key_type { K_STRING, K_BOOL, K_INT };

/* What a value must be besides of its type. */
struct key_rule {
	int64_t min, max;         /* of a K_INT; equal: any */
	const char *const *words; /* ends with NULL */
	/* NULL when the value is fine, else what it should have been. */
	const char *(*check)(const char *value);
	int (*read)(const char *value, struct err *err);
};

struct key {
	enum keys_of of;
	const char *name;
	enum key_type type;
	const char *dflt; /* NULL: none */
	struct key_rule rule;
	const char *doc;
	const char *refused; /* why it can't be set; NULL: it can */
};

const struct key *key_table(size_t *ret_n);
/* By exact name, or the wildcard that covers it; NULL when unknown. It may be a refused one. */
const struct key *key_find(enum keys_of of, const char *name);
/* The value, or the key's default. */
const char *key_value(enum keys_of of, const json_t *config, const char *name);
bool key_bool(enum keys_of of, const json_t *config, const char *name);
/* The configuration with the default of every key that it leaves out. */
json_t *keys_filled(enum keys_of of, const json_t *config);

/* Checks in place: numbers and booleans become strings, null and "" disappear. ERR_INVALID names
 * `what` (object and its name), the key and the value. What is as in old (NULL: nothing) passes:
 * what an older version took does not stand in the way of other changes. */
int keys_check(enum keys_of of, const char *what, json_t *config, const json_t *old,
	       struct err *err);
/* The same for every device of an instance or profile. */
int devices_check(const char *what, json_t *devices, const json_t *old, struct err *err);
