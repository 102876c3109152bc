/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/feed/hub_int.h - inside of the hub: hub.c (the thread), peer.c (one connection),
 * live.c (who is there). */
#pragma once
#include "cluster/feed/hub.h"
#include "cluster/feed/list.h"

struct peer {
	struct peer *next;
	struct hub *hub;
	struct fconn *conn;
	char name[NAME_SIZE], fingerprint[SHA256_HEX_SIZE];
	bool greeted;    /* said hello */
	uint32_t events; /* registered with epoll */
	struct fact_round round;

	/* What it misses is made as it reads: while behind no rows are queued for it, while
	 * listing no facts but those that go, and whenever its queue is short it is given a
	 * piece. */
	bool behind, listing;
	bool full, first; /* of the copy of the rows */
	int64_t sent;     /* revision it has been sent */
	int64_t since;    /* full: the revision at which the copy began */
	int64_t listed;   /* of the facts: how far the list is; 0: not begun */
	bool ending;      /* close once everything is written */
	bool dead;
};

/* Something for the thread to do, queued by others. */
struct task {
	struct task *next;
	enum { TASK_PEER, TASK_ROWS, TASK_EVENT, TASK_REMOVE } kind;
	struct stream *stream;
	struct frame *frame;
	int64_t rev; /* TASK_ROWS */
	bool last;   /* idem: of those of a revision */
	char fingerprint[SHA256_HEX_SIZE];
};

struct absence {
	char name[NAME_SIZE];
	int64_t since; /* its last word, as far as is known; 0: connected */
	bool offline;  /* told to the readers */
	bool listed;
};

struct hub {
	struct cluster *c;
	int epoll, wake;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	struct task *tasks, **tasks_tail;
	bool leading, stopping;
	unsigned term; /* counts hub_lead() */
	int64_t unheard_ms; /* the last word of those that have not connected since we lead */
	struct absence *absent;
	size_t n_absent;

	/* The thread's own. */
	struct peer *peers;
	bool led;
	unsigned seen_term;
	int64_t ticked, offline_ms;
	struct feed_list rows;        /* a piece of a copy */
	struct feed_list facts, gone; /* that changed; those of them that went */
	const struct peer *except;    /* who told them */
	bool unsaid;                  /* own ones that changed may be left */
};

#define HUB_LAG_MAX (1u << 20)   /* a longer queue: copies from here on, until it is read */
#define HUB_QUEUE_MAX (8u << 20) /* of what cannot be sent later; beyond it the member is dropped */

struct frame *hub_bye_frame(const char *why);
/* Facts that changed, to all but one: begin, any number, end. */
void hub_facts_begin(struct hub *h, const struct peer *except);
void hub_facts_add(struct hub *h, enum fact f, const char *key, const char *member,
		   const char *text);
void hub_facts_end(struct hub *h);

/* The thread's; a dead peer is freed at the end of the turn. */
struct peer *peer_add(struct hub *h, struct stream *own_stream);
void peer_free(struct peer *p);
void peer_send(struct peer *p, struct frame *own_frame);
void peer_end(struct peer *p, const char *why); /* says good-bye */
void peer_drop(struct peer *p, const char *why);
void peer_io(struct peer *p);
void peer_flush(struct peer *p);
void peer_check(struct peer *p, int64_t now); /* silence and pings */
void peer_rows(struct peer *p, const struct task *t);
void peer_facts(struct peer *p, struct frame *borrowed);
void peer_other(struct peer *p, struct frame *borrowed); /* what cannot be sent later */
bool peer_pending(const struct peer *p);                 /* has more to say than poll(2) knows */
void hub_send_all(struct hub *h, struct frame *own_frame, const struct peer *except);
bool hub_connected(const struct hub *h, const char *name);
/* Keeps the list of absent members; shows those as offline that have been absent for long. */
void hub_live_tick(struct hub *h);
/* On becoming leader: whether the others are alive is not known before they connect. */
void hub_live_begin(struct hub *h);
void hub_live_seen(struct hub *h, const char *name);
void hub_live_lost(struct hub *h, const char *name, int64_t heard_ms);
