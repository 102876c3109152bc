/* SPDX-License-Identifier: Apache-2.0 */
/* api/keys.h - the table of configuration keys (api/keys.def), and checks of whole configurations.
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
	KEYS_DISK
};
enum key_type { K_STRING, K_BOOL, K_INT, K_SIZE };

struct key {
	enum keys_of of;
	const char *name;
	enum key_type type;
	const char *dflt; /* NULL: none */
	/* NULL when the value is fine, else what it should have been. */
	const char *(*check)(const char *value);
	bool live;
	const char *doc;
};

const struct key *key_table(size_t *ret_n);
/* By exact name, or the wildcard that covers it; NULL when unknown. */
const struct key *key_find(enum keys_of of, const char *name);
/* The value, or the key's default. */
const char *key_value(enum keys_of of, const json_t *config, const char *name);
bool key_bool(enum keys_of of, const json_t *config, const char *name);

/* Checks in place: numbers and booleans become strings, null and "" disappear. ERR_INVALID names
 * `what` (object and its name), the key and the value. */
int keys_check(enum keys_of of, const char *what, json_t *config, struct err *err);
/* The same for every device of an instance or profile. */
int devices_check(const char *what, json_t *devices, struct err *err);
