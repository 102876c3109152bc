/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/lease.h"

#include <assert.h>

bool lease_is_free(const json_t *doc)
{
	return json_bool(doc, "freed", false);
}

void lease_free(struct tx *t, const struct row *lease)
{
	_json_ json_t *doc = json_object();

	assert(lease->rev > 0);
	json_put_str(doc, "network", json_str(lease->doc, "network", ""));
	json_put_str(doc, "ip", json_str(lease->doc, "ip", ""));
	json_put_bool(doc, "freed", true);
	tx_put(t, ENT_ADDRESS, lease->key, lease->rev, doc);
}
