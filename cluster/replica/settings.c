/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/replica/settings.h"

#include <assert.h>

#include "cluster/model/keys.h"
#include "cluster/replica/read.h"

int64_t setting_of(const char *name, const char *value)
{
	int64_t v = 0;
	struct err ignored;

	if (keys_read_value(&server_keys, name, value, &v, &ignored) < 0)
		keys_read_value(&server_keys, name, NULL, &v, &ignored);
	return v;
}

int64_t setting_get(struct replica *r, const char *name)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	if (replica_get(r, ENT_CONFIG, name, &row, &ignored) < 0)
		return setting_of(name, NULL);
	return setting_of(name, json_str(row.doc, "value", NULL));
}
