/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/replica/sqlite.h - inside of the replica: its database and prepared statements. */
#pragma once
#include <pthread.h>

#include "cluster/replica/replica.h"

struct sqlite3;
struct sqlite3_stmt;

enum row_query {
	Q_GET,
	Q_REV,
	Q_NEWEST,
	Q_LIST,
	Q_LIST_BY,
	Q_INDEX,
	Q_COUNT,
	Q_COUNT_BY,
	Q_PUT,
	Q_PUT_FULL,
	Q_DELETE,
	Q_SINCE,
	Q_UNSEEN,
	Q_ROW_MAX
};

enum plain_query {
	P_REVISION,
	P_GONE_PUT,
	P_GONE_SINCE,
	P_GONE_TRIM,
	P_SEEN_PUT,
	P_SEEN_CLEAR,
	P_FACT_PUT,
	P_FACT_DELETE,
	P_FACT_TOP,
	P_FACT_EACH,
	P_FACT_MEMBER,
	P_FACT_ALL,
	P_FACT_SINCE,
	P_FACT_RENAME,
	P_DIRTY_PUT,
	P_DIRTY_LIST,
	P_DIRTY_DELETE,
	P_DIRTY_CLEAR,
	P_MAX
};

struct slot {
	char *sql;
	struct sqlite3_stmt *st;
};

struct replica {
	struct sqlite3 *db;
	pthread_mutex_t lock; /* recursive; before the notifier's */
	struct notifier *notifier;
	struct slot rows[ENT_MAX][Q_ROW_MAX];
	struct slot plain[P_MAX];
	int64_t revision, floor;
	uint64_t changes;
	int64_t seq; /* order of claims on facts */
	void (*dirty_cb)(void *arg);
	void *dirty_arg;
	pthread_mutex_t wait_lock;
	pthread_cond_t reached;
};

/* A statement ready to bind; prepared anew when the slot's is in use further up the stack. */
struct sqlite3_stmt *stmt_get(struct replica *r, struct slot *s);
void stmt_put(struct slot *s, struct sqlite3_stmt *st);
void stmt_text(struct sqlite3_stmt *st, int index, const char *text); /* not copied */
bool stmt_row(struct sqlite3_stmt *st);
const char *stmt_str(struct sqlite3_stmt *st, int column);
/* Steps to the end and puts it back; the number of rows changed. */
int stmt_run(struct replica *r, struct slot *s, struct sqlite3_stmt *st);
void replica_touch(struct replica *r);
