/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/self/alive.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/replica/read.h"
#include "cluster/replica/settings.h"
#include "cluster/self/state.h"

#define NAMES_MAX 7 /* as many voters as there may be */
/* Longer without a leader is no election: Raft begins another after 15 to 30 latencies. */
#define ELECTION_LATENCIES 100
#define ELECTION_MIN_MS 5000

enum member_life life_of(const struct life_evidence *e, int64_t threshold_ms)
{
	if (e->self)
		return LIFE_ONLINE;
	if (e->said == LIFE_OFFLINE || e->island_ms >= threshold_ms)
		return LIFE_OFFLINE;
	if (e->island_ms)
		return LIFE_UNKNOWN;
	return e->said == LIFE_ONLINE ? LIFE_ONLINE : LIFE_UNKNOWN;
}

int64_t cluster_offline_ms(struct cluster *c)
{
	return 1000 * setting_get(c->replica, "cluster.offline_threshold");
}

int64_t cluster_island_ms(struct cluster *c)
{
	int64_t ms = 0;

	pthread_mutex_lock(&c->lock);
	if (!c->leading && !c->contact)
		ms = clock_ms() - c->heard_ms + 1;
	pthread_mutex_unlock(&c->lock);
	return ms;
}

/* Of an island, until it counts as cut off. */
static int64_t cut_off_after_ms(struct cluster *c)
{
	int64_t offline_ms = cluster_offline_ms(c);
	int64_t election_ms =
		ELECTION_LATENCIES * setting_get(c->replica, "cluster.raft_latency_ms");

	if (election_ms < ELECTION_MIN_MS)
		election_ms = ELECTION_MIN_MS;
	return offline_ms < election_ms ? offline_ms : election_ms;
}

bool cluster_is_cut_off(struct cluster *c)
{
	int64_t island_ms = cluster_island_ms(c);

	return island_ms && island_ms >= cut_off_after_ms(c);
}

enum member_life cluster_member_life(struct cluster *c, const char *name, int64_t *ret_since)
{
	_json_ json_t *fact = replica_read_fact(c->replica, FACT_MEMBER, name, NULL);
	struct life_evidence e = { str_eq(name, cluster_member_name(c)), life_said(fact),
				   cluster_island_ms(c) };

	if (ret_since) {
		*ret_since = json_int(fact, "since", 0);
		if (!*ret_since && e.island_ms)
			*ret_since = clock_wall() - e.island_ms / 1000;
	}
	return life_of(&e, cluster_offline_ms(c));
}

/* "m1, m2 and m3": those that hold the database. */
static void name_voters(struct cluster *c, struct sbuf *b)
{
	_rows_ struct rows rows = { 0 };
	const char *names[NAMES_MAX];
	struct err ignored;
	size_t n = 0;

	if (replica_list(c->replica, ENT_MEMBER, NULL, &rows, &ignored) < 0)
		return;
	for (size_t i = 0; i < rows.n && n < NAMES_MAX; i++) {
		if (str_eq(json_str(rows.v[i].doc, "role", ""), "voter"))
			names[n++] = rows.v[i].key;
	}
	for (size_t i = 0; i < n; i++)
		sbuf_printf(b, "%s%s", i == 0 ? " (" : i + 1 < n ? ", " : " and ", names[i]);
	if (n)
		sbuf_putc(b, ')');
}

bool cluster_explain_cut_off(struct cluster *c, struct err *err)
{
	_sbuf_ struct sbuf names = SBUF(1024);
	int64_t ms = cluster_island_ms(c);

	if (!ms || ms < cut_off_after_ms(c))
		return false;
	name_voters(c, &names);
	err_set(err, ERR_UNAVAILABLE,
		"no quorum: %s has heard of no leader for %lld s, and nothing can be changed until "
		"a majority of the members that hold the database%s is there again: start those "
		"that are down, or mend the network between them",
		cluster_member_name(c), (long long)ms / 1000, names.data ? names.data : "");
	return true;
}

int cluster_member_address(struct cluster *c, const char *name, char *buf, size_t size,
			   struct err *err)
{
	_row_ struct row row = { 0 };
	char text[CLOCK_TEXT_SIZE];
	int64_t since;

	if (replica_get(c->replica, ENT_MEMBER, name, &row, err) < 0)
		return -1;
	if (cluster_member_life(c, name, &since) == LIFE_OFFLINE) {
		if (cluster_explain_cut_off(c, err))
			return err_wrap(err, "cluster member \"%s\" is not heard", name);
		return err_set(err, ERR_UNAVAILABLE, "cluster member \"%s\" is offline since %s",
			       name, clock_text(since * 1000000000LL, text));
	}
	if (!str_copy(buf, size, json_str(row.doc, "address", "")) || !*buf)
		return err_set(err, ERR_UNAVAILABLE, "cluster member \"%s\" has no address", name);
	return 0;
}
