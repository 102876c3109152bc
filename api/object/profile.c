/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/object.h"
#include "api/rest/uses.h"
#include "api/work/address.h"
#include "api/work/check.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/keys.h"
#include "node/device/device.h"

/* What a device names must be there; else no instance with this profile could start. */
static int check_named(struct req *r, struct change *c, const char *device, enum entity e,
		       const char *name)
{
	_free_ char *what = xasprintf("%s: device \"%s\"", c->what, device);

	return name ? change_needs(r, c, what, e, name) : 0;
}

static int check_devices(struct req *r, struct change *c)
{
	const json_t *old = json_obj(c->old, "devices");
	struct device_claim claim;
	const char *device;
	json_t *v;

	json_object_foreach(json_obj(c->doc, "devices"), device, v) {
		if (json_equal(v, json_object_get(old, device)))
			continue;
		if (check_named(r, c, device, ENT_POOL, device_pool(v)) < 0 ||
		    (device_claims(v, &claim) && claim.named_by &&
		     check_named(r, c, device, ENT_NETWORK, claim.network) < 0))
			return -1;
	}
	return 0;
}

static int check_keys(struct req *r, const struct change *c)
{
	json_t *config = json_obj(c->doc, "config"), *old = json_obj(c->old, "config"), *v;
	const char *key;

	if (keys_check(&instance_keys, c->what, config, old, req_err(r)) < 0 ||
	    config_check_raw(c->what, config, old, req_err(r)) < 0)
		return -1;
	json_object_foreach(config, key, v) {
		if (str_starts(key, "volatile.") || str_starts(key, "image."))
			return err_set(req_err(r), ERR_INVALID,
				       "%s: key \"%.80s\" belongs to instances only", c->what, key);
	}
	return 0;
}

/* Its instances must be able to live with it. */
static int check(struct req *r, struct change *c)
{
	if (check_keys(r, c) < 0 ||
	    devices_check(c->what, json_obj(c->doc, "devices"), json_obj(c->old, "devices"),
			  req_err(r)) < 0 ||
	    check_devices(r, c) < 0)
		return -1;
	if (!c->old)
		return 0;
	tx_check_still(c->tx, ENT_INSTANCE, c->revision);
	return instances_check_profile(req_env(r), c->key, c->doc, req_err(r)) < 0
		       ? -1
		       : address_check_profile(req_env(r), c->key, c->doc, req_err(r));
}

static const struct field fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },         { "description", JW_STR, FIELD_WRITE, false },
	{ "config", JW_STR_MAP, FIELD_WRITE, false }, { "devices", JW_OBJ, FIELD_WRITE, false },
	{ "used_by", JW_ARR, FIELD_SHOWN, false },    { NULL, 0, 0, false },
};

const struct kind kind_profile = {
	.entity = ENT_PROFILE,
	.fields = fields,
	.name_max = 64,
	.keep = PROFILE_DEFAULT,
	.keep_text = "Default profile",
	.used_as = "profiles",
	.check = check,
};
