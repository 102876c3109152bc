/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/hub_int.h - inside of the hub: hub.c (the thread), hub_peer.c (one connection),
 * hub_live.c (who is there). */
#pragma once
#include "cluster/hub.h"

struct peer {
	struct peer *next;
	struct hub *hub;
	struct fconn *conn;
	char name[NAME_SIZE], fingerprint[SHA256_HEX_SIZE];
	bool greeted;	 /* said hello and got what it missed */
	int64_t sent;	 /* revision it has been sent */
	uint32_t events; /* registered with epoll */
	bool ending;	 /* close once everything is written */
	bool dead;
};

/* Something for the thread to do, queued by others. */
struct task {
	struct task *next;
	enum { TASK_PEER, TASK_ROWS, TASK_OTHER, TASK_REMOVE } kind;
	struct stream *stream;
	struct frame *frame;
	int64_t rev; /* TASK_ROWS */
	char fingerprint[SHA256_HEX_SIZE];
};

struct absence {
	char name[NAME_SIZE];
	int64_t since; /* 0: connected */
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
	int64_t lead_ms; /* since when we lead */
	struct absence *absent;
	size_t n_absent;

	/* The thread's own. */
	struct peer *peers;
	bool led;
	unsigned seen_term;
	int64_t ticked;
	struct sbuf text;
};

#define HUB_QUEUE_MAX (8u << 20) /* what may wait for a member, beyond what it gets at first */
#define HUB_CHUNK (256u << 10)

struct frame *hub_bye_frame(const char *why);
struct frame *hub_event_frame(const char *text);

/* The thread's; a dead peer is freed at the end of the turn. */
struct peer *peer_add(struct hub *h, struct stream *own_stream);
void peer_free(struct peer *p);
void peer_send(struct peer *p, struct frame *own_frame);
void peer_end(struct peer *p, const char *why); /* says good-bye */
void peer_drop(struct peer *p, const char *why);
void peer_io(struct peer *p);
void peer_flush(struct peer *p);
void peer_check(struct peer *p, int64_t now); /* silence and pings */
void hub_send_all(struct hub *h, struct frame *own_frame, const struct peer *except);
bool hub_connected(const struct hub *h, const char *name);
/* Keeps the list of absent members; shows those as offline that have been absent for long. */
void hub_live_tick(struct hub *h);
void hub_live_reset(struct hub *h); /* on becoming leader: nobody has been absent yet */
void hub_live_seen(struct hub *h, const char *name);
