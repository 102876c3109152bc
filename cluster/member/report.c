/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/member.h"
#include "cluster/store/store.h"

void member_report(struct cluster *c)
{
	_json_ json_t *load = c->o.load ? c->o.load(c->o.arg) : NULL;
	_json_ json_t *fact = json_object();
	bool raft;

	pthread_mutex_lock(&c->lock);
	raft = c->node != NULL;
	pthread_mutex_unlock(&c->lock);
	life_say(fact, LIFE_ONLINE);
	json_put_str(fact, "version", DUNLIN_VERSION);
	json_put_str(fact, "address", cluster_address(c));
	json_put_bool(fact, "raft", raft);
	json_put_str(fact, "certificate", cluster_fingerprint(c));
	if (json_is_object(load))
		json_object_update_missing(fact, load);
	store_fact_put(c->store, FACT_MEMBER, cluster_member_name(c), fact);
}
