/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/op/event.h - lifecycle, operation and logging events for the listeners of this member.
 *
 * Lifecycle events go to every member through the store; operation events are the operation facts'
 * changes, seen on every member. Listeners get LXD's event object as text:
 * {"type","timestamp","metadata","location","project"}.
 */
#pragma once
#include "cluster/store/store.h"

enum event_type { EV_LIFECYCLE = 1, EV_OPERATION = 2, EV_LOGGING = 4 };

struct events;
struct event_listener;

struct events *events_new(struct store *s, const char *(*location)(void *arg), void *arg);
void events_free(struct events *e);

struct event_source {
	const char *action; /* "instance-started": reference/lifecycle-events */
	const char *url;    /* "/1.0/instances/c1" */
	const char *key;    /* of the object, a text form (ref.h); NULL: none */
	const char *username, *protocol; /* who asked; may be NULL */
	const json_t *context;           /* may be NULL */
};
void event_lifecycle(struct events *e, const struct event_source *src);

/* What is heard: enum event_type bits; of a project, or of all when that is NULL. Logging is of no
 * project: all hear it. */
struct event_filter {
	unsigned types;
	const char *project;
};
/* deliver is called from any thread and must not block; the text is shared, copy what is kept. */
struct event_listener *event_listen(struct events *e, const struct event_filter *f,
				    void (*deliver)(void *arg, const char *text, size_t len),
				    void *arg);
void event_unlisten(struct events *e, struct event_listener *l);
