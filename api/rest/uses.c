/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/uses.h"

#include <string.h>

#include "api/work/icache.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/device/device.h"

#define NAMES_SHOWN 8
#define NAME_BYTES 100
#define NAMES_BYTES (NAMES_SHOWN * (NAME_BYTES + 20))

struct users {
	const char *kind, *key;
	json_t *urls;
};

static void add_instance_user(void *arg, const struct icache_view *v)
{
	struct users *u = arg;

	_free_ char *url = ref_url("instances", v->name);

	if (json_lists(json_arr(v->uses, u->kind), u->key))
		json_array_append_new(u->urls, json_string(url));
}

static bool profile_uses(const struct row *profile, const struct users *u)
{
	bool networks = str_eq(u->kind, "networks"), pools = str_eq(u->kind, "pools");
	const char *key;
	json_t *dev;

	json_object_foreach(json_obj(profile->doc, "devices"), key, dev) {
		const char *network = device_network(dev);

		if (networks && network && ref_means(profile->key, ENT_NETWORK, network, u->key))
			return true;
		if (pools && str_eq(device_pool(dev), u->key))
			return true;
	}
	return false;
}

json_t *used_by(const struct api_env *env, const char *kind, const char *key)
{
	struct users u = { kind, key, json_array() };
	_rows_ struct rows profiles = { 0 };
	struct err err;

	icache_each(env, add_instance_user, &u);
	if (store_list(env->store, ENT_PROFILE, NULL, &profiles, &err) < 0)
		return u.urls;
	for (size_t i = 0; i < profiles.n; i++) {
		_free_ char *url = ref_url("profiles", profiles.v[i].key);

		if (profile_uses(&profiles.v[i], &u))
			json_array_append_new(u.urls, json_string(url));
	}
	return u.urls;
}

/* --- refusals -------------------------------------------------------------------------------- */

/* The first ones, and how many more there are; each with its noun, if it has one. */
static void put_names(struct sbuf *text, size_t i, size_t n, const char *noun, const char *name)
{
	if (i < NAMES_SHOWN)
		sbuf_printf(text, "%s%s%s\"%.*s\"", i ? ", " : "", noun, *noun ? " " : "",
			    NAME_BYTES, name);
	else if (i == n - 1)
		sbuf_printf(text, " and %zu more", n - NAMES_SHOWN);
}

int refuse_used(struct req *r, const char *what, const char *kind, const char *name)
{
	static const char *const words[][2] = { { "/1.0/instances/", "instance" },
						{ "/1.0/profiles/", "profile" } };
	_json_ json_t *users = used_by(req_env(r), kind, name);
	_sbuf_ struct sbuf text = SBUF(NAMES_BYTES);
	size_t n = json_array_size(users), i;
	json_t *v;

	if (n == 0)
		return 0;
	json_array_foreach(users, i, v) {
		const char *url = json_string_value(v);

		for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
			if (str_starts(url, words[k][0]))
				put_names(&text, i, n, words[k][1], url + strlen(words[k][0]));
		}
	}
	return err_set(req_err(r), ERR_INVALID, "%s is currently in use: \"%s\" by %s", what, name,
		       text.data);
}

int refuse_held(struct req *r, const char *what, const char *held, const json_t *names)
{
	_sbuf_ struct sbuf text = SBUF(NAMES_BYTES);
	size_t n = json_array_size(names), i;
	json_t *v;

	if (n == 0)
		return 0;
	json_array_foreach((json_t *)names, i, v)
		put_names(&text, i, n, "", json_string_value(v));
	return err_set(req_err(r), ERR_INVALID, "%s is not empty: take its %s out of it first: %s",
		       what, held, text.data);
}

/* --- what is named --------------------------------------------------------------------------- */

int change_needs(struct req *r, struct change *c, const char *what, enum entity e, const char *name)
{
	_free_ char *key = ref_beside(c->key, e, name);
	_row_ struct row row = { 0 };
	char title[ENTITY_TITLE_SIZE];

	if (store_get(req_env(r)->store, e, key, &row, req_err(r)) == 0) {
		tx_check(c->tx, e, key, row.rev);
		return 0;
	}
	if (req_err(r)->kind != ERR_NOT_FOUND)
		return -1;
	return err_set(req_err(r), ERR_NOT_FOUND, "%s: %s not found: \"%.64s\"", what,
		       entity_title(e, title), name);
}

int change_needs_all(struct req *r, struct change *c, enum entity e, const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach((json_t *)names, i, name) {
		if (change_needs(r, c, c->what, e, json_string_value(name)) < 0)
			return -1;
	}
	return 0;
}
