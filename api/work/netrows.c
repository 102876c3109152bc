/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/netrows.h"

#include <string.h>

#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "node/network/type.h"

static char *underlay_ip(const struct api_env *env, const char *member)
{
	_row_ struct row row = { 0 };
	struct address a;
	struct err err;

	if (store_get(env->store, ENT_MEMBER, member, &row, &err) < 0 ||
	    address_parse(json_str(row.doc, "address", ""), &a, &err) < 0)
		return xstrdup("");
	return xstrdup(a.host);
}

json_t *netrows_underlays(const struct api_env *env)
{
	const char *me = cluster_member_name(env->cluster);
	_rows_ struct rows members = { 0 };
	json_t *map = json_object();
	struct err err;

	if (!cluster_enabled(env->cluster) ||
	    store_list(env->store, ENT_MEMBER, NULL, &members, &err) < 0)
		return map;
	for (size_t i = 0; i < members.n; i++) {
		_free_ char *ip = underlay_ip(env, members.v[i].key);

		json_put_str(map, str_eq(members.v[i].key, me) ? "" : members.v[i].key, ip);
	}
	return map;
}

json_t *netrows_wanted(const struct row *row, const json_t *underlays)
{
	json_t *net = json_object(), *peers = json_array(), *ip;
	char name[REF_IFNAME_SIZE];
	const char *member;

	json_put_str(net, "name", ref_ifname(row->key, name));
	json_put_str(net, "type", json_str(row->doc, "type", ""));
	json_object_set(net, "config", json_obj(row->doc, "config"));
	json_put_int(net, "vni", json_int(row->doc, "vni", 0));
	json_object_foreach((json_t *)underlays, member, ip) {
		if (*member)
			json_array_append_new(peers, json_pack("{s:O}", "address", ip));
		else
			json_object_set(net, "local", ip);
	}
	json_object_set_new(net, "peers", peers);
	return net;
}

static void note_member(void *arg, const char *key, int64_t rev, const char *member)
{
	json_put_str(arg, key, member);
}

struct leases {
	const char *prefix;
	const char *me;
	bool spans;
	const json_t *members; /* instance -> member */
	const json_t *underlays;
	json_t *hosts, *macs;
};

static void add_lease(void *arg, const char *key, int64_t rev, const char *text)
{
	struct leases *l = arg;
	_json_ json_t *doc = NULL;
	const char *member, *hwaddr, *instance;
	struct err err;

	if (!str_starts(key, l->prefix))
		return;
	doc = json_parse(text, strlen(text), "address", &err);
	instance = json_str(doc, "instance", NULL);
	/* Free, or kept for the next start. */
	if (!instance || json_bool(doc, "pending", false))
		return;
	hwaddr = json_str(doc, "hwaddr", "");
	member = json_str(l->members, instance, l->me);
	if (l->spans || str_eq(member, l->me))
		json_array_append_new(l->hosts, json_pack("{s:s, s:s, s:s}", "hwaddr", hwaddr,
							  "ipv4", json_str(doc, "ip", ""),
							  "hostname", ref_of(instance).name));
	if (l->spans && !str_eq(member, l->me) && json_str(l->underlays, member, NULL))
		json_put_str(l->macs, hwaddr, json_str(l->underlays, member, ""));
}

void netrows_leases(const struct api_env *env, const struct row *row, const json_t *underlays,
		    json_t *hosts, json_t *macs)
{
	_free_ char *prefix = xasprintf("%s/", row->key);
	_json_ json_t *members = json_object();
	struct leases l = { .prefix = prefix,
			    .me = cluster_member_name(env->cluster),
			    .spans = network_spans(row->doc),
			    .members = members,
			    .underlays = underlays,
			    .hosts = hosts,
			    .macs = macs };

	store_each_index(env->store, ENT_INSTANCE, note_member, members);
	store_each_text(env->store, ENT_ADDRESS, add_lease, &l);
}
