/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/container_int.h - what a node remembers of a container, shared by
 * node/container.
 *
 *   Stopped --prepare--> Starting --adopt--> Running --stop--> Stopping --+
 *      ^                    |                  |  ^                       |
 *      |                 abandon        freeze v  | thaw                  |
 *      |                    |                Frozen                       |
 *      +--------------------+---------- settle: init and monitor ended ---+
 *
 * Two locks, taken in this order: `op` of one container around each step that changes what runs
 * (never while waiting for a clean stop), and containers.lock around reading and writing the
 * records.
 */
#pragma once
#include <pthread.h>

#include "node/container/steps.h"
#include "node/device/device.h"
#include "node/node_int.h"

struct ct {
	char *name;
	int refs;
	pthread_mutex_t op;

	enum status status;
	pid_t pid;            /* init; 0 when none */
	int pidfd, monitorfd; /* monitorfd -1: its monitor is gone or was never seen */
	int64_t started_ns;   /* wall clock */
	json_t *spec;         /* never changed, only replaced */
	bool held;            /* being moved: its end is somebody else's business */
	bool closed;          /* being moved: nobody goes in (node/container/gate.c) */
	bool gone;            /* off the list: another record may bear its name */
	struct visit *visits; /* who is in it, or goes in */
	bool stop_asked;      /* its end is wanted: a reboot does not count */
	json_t *state;        /* last container_state, and when it was made */
	int64_t state_ms;
	json_t *told; /* the last published document */
	struct ct *next;
};

struct containers {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* closed, gone or visits of some record */
	struct ct *list;
};

struct containers *containers_new(void);
void containers_free(struct containers *c);

/* Counted; make: a new record, Stopped, when there is none. NULL otherwise. */
struct ct *ct_get(struct node *n, const char *name, bool make);
void ct_put(struct node *n, struct ct *c);
/* Takes the record off the list; it lives on until the last reference is put. */
void ct_forget(struct node *n, struct ct *c);
void ct_set_closed(struct node *n, struct ct *c, bool closed);
void ct_rename(struct node *n, struct ct *c, const char *name);
enum status ct_status(struct node *n, struct ct *c);
void ct_set_status(struct node *n, struct ct *c, enum status s);
json_t *ct_spec(struct node *n, struct ct *c); /* new reference or NULL */
void ct_set_spec(struct node *n, struct ct *c, json_t *own_spec);
/* Tells the node's owner the present state; if_new: unless it is what was told last. */
void ct_publish(struct node *n, struct ct *c, bool if_new);

char *ct_dir(const struct node *n, const char *name); /* the caller frees */
char *ct_file(const struct node *n, const char *name, const char *file);
/* spec.json of an earlier start; NULL when there is none or it is broken. */
json_t *ct_load_spec(const struct node *n, const char *name);

/* The steps; op is held. */
int ct_prepare(struct node *n, struct ct *c, const json_t *spec, bool start, struct err *err);
/* liblxc's configuration of its next start, or of a dump or restore. */
int ct_write_conf(struct node *n, const json_t *spec, enum device_use use, struct err *err);
/* spec.json, for the daemons after this one. */
int ct_write_spec(struct node *n, const char *name, const json_t *spec, struct err *err);
int ct_adopt(struct node *n, struct ct *c, pid_t init, struct err *err);
int ct_start(struct node *n, struct ct *c, const json_t *spec, struct err *err);
/* Its addresses, to all on its networks. */
void ct_announce(struct node *n, struct ct *c);
/* Ends everything there may be, known or not, and releases devices and cgroups. */
int ct_kill_all(struct node *n, struct ct *c, struct err *err);
void ct_release(struct node *n, const char *name, const json_t *spec);
/* Init ended, or its monitor: waits for both, releases, sets Stopped; starts it again after a
 * reboot. */
void ct_settle(struct node *n, struct ct *c, bool quiet);
/* Once marked it is started again when it ends, by the next daemon, too, unless that takes longer
 * than ten minutes or somebody asks it to stop. A start clears the mark. */
int ct_mark(struct node *n, const char *name, struct err *err);
bool ct_is_marked(struct node *n, const char *name);
/* True once init or monitor ended; waits for that until the deadline. */
bool ct_wait_end(const struct ct *c, int64_t deadline);

/* network{} of the state, of the network namespace of pid; host names from the spec's ports. */
json_t *ct_network(pid_t pid, const json_t *spec);
/* Without IPv6 addresses that are not known to be its own yet, or are somebody else's: who says to
 * all that he has one makes duplicate address detection fail (RFC 4862, 5.4.4). */
json_t *ct_settled_network(pid_t pid, const json_t *spec);
/* A new FACT_INSTANCE document. */
json_t *ct_fact(struct node *n, struct ct *c);

static inline void cleanup_ct_op(pthread_mutex_t **m)
{
	if (*m)
		pthread_mutex_unlock(*m);
}
/* Holds op of a container until the scope ends. */
#define ct_locked(c)                                                                         \
	__attribute__((cleanup(cleanup_ct_op), unused)) pthread_mutex_t *op_held = &(c)->op; \
	pthread_mutex_lock(op_held)
