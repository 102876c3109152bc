/* SPDX-License-Identifier: Apache-2.0 */
/* A member as LXD's API shows it. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/group.h"
#include "cluster/self/state.h"

static json_t *roles(struct cluster *c, const struct row *m)
{
	const char *role = json_str(m->doc, "role", "");
	json_t *list = json_array();
	bool leads;

	pthread_mutex_lock(&c->lock);
	leads = str_eq(c->leader_name, m->key);
	pthread_mutex_unlock(&c->lock);
	if (leads)
		json_array_append_new(list, json_string("database-leader"));
	if (str_eq(role, "voter"))
		json_array_append_new(list, json_string("database"));
	if (str_eq(role, "standby"))
		json_array_append_new(list, json_string("database-standby"));
	return list;
}

static void put_state(json_t *j, enum member_life life, const char *message)
{
	life_say(j, life);
	json_put_str(j, "message", message);
}

static void put_offline(json_t *j, int64_t since)
{
	char text[CLOCK_TEXT_SIZE];
	_free_ char *message = NULL;

	if (since)
		message = xasprintf("No heartbeat for %llds (since %s)",
				    (long long)(clock_wall() - since),
				    clock_text(since * 1000000000LL, text));
	put_state(j, LIFE_OFFLINE, message ? message : "No heartbeat has been seen");
}

static void put_status(struct cluster *c, json_t *j, const struct row *m)
{
	int64_t since;
	enum member_life life = cluster_member_life(c, m->key, &since);
	bool self = str_eq(m->key, cluster_member_name(c));
	struct err removed;

	if (self && cluster_check_member(c, &removed) < 0)
		put_state(j, LIFE_REMOVED, removed.msg);
	else if (life == LIFE_OFFLINE)
		put_offline(j, since);
	else if (life == LIFE_UNKNOWN)
		put_state(j, LIFE_UNKNOWN,
			  cluster_is_island(c)
				  ? "No leader can be reached: whether it runs is not known here"
				  : "The leader has not heard of it yet");
	else if (json_bool(m->doc, "removing", false))
		put_state(j, LIFE_ONLINE, "Being removed");
	else if (self && cluster_is_island(c))
		put_state(j, LIFE_ONLINE, "No leader can be reached: what is shown may be old");
	else
		put_state(j, LIFE_ONLINE, "Fully operational");
}

json_t *cluster_member_json(struct cluster *c, const struct row *m)
{
	const char *role = json_str(m->doc, "role", "");
	const char *address = json_str(m->doc, "address", "");
	_free_ char *url = xasprintf("https://%s", address);
	json_t *config = json_obj(m->doc, "config");
	json_t *j = json_object();

	json_object_set_new(j, "roles", roles(c, m));
	json_put_str(j, "failure_domain", member_domain(m->doc));
	json_put_str(j, "description", json_str(m->doc, "description", ""));
	json_object_set_new(j, "config", config ? json_deep_copy(config) : json_object());
	json_object_set_new(j, "groups", member_groups(m->doc));
	json_put_str(j, "server_name", m->key);
	json_put_str(j, "url", *address ? url : "");
	json_put_bool(j, "database", str_eq(role, "voter"));
	put_status(c, j, m);
	json_put_str(j, "architecture", json_str(m->doc, "architecture", ""));
	return j;
}
