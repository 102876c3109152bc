/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/keys.h - the tables of configuration keys as the command line knows them: names and
 * words, for completion. What else a value must be, the server knows.
 */
#pragma once
#include "base/keys.h"

/* Ends with group NULL. */
struct command_keys {
	const char *group; /* commands whose words begin so set or print these keys */
	struct keys keys;
	bool without_name; /* where no object is named, the server's are meant */
};
extern const struct command_keys command_keys[];
extern const char *const pool_drivers[]; /* ends with NULL */
extern const struct keys keys_of_instances, keys_of_devices, keys_of_server;

/* The keys that a command sets or prints; NULL: none that a table has. */
const struct command_keys *command_keys_of(const char *words);
