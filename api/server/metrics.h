/* SPDX-License-Identifier: Apache-2.0 */
/* api/server/metrics.h - what this member does in numbers, as Prometheus and its like read them:
 * the text format 0.0.4 (Prometheus: "Exposition formats"), which those of OpenMetrics read, too.
 *
 * All of it comes from what the daemon has at hand; a metric is a row of metrics.def.
 */
#pragma once
#include "base/json.h"
#include "base/sbuf.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_of {
	METRIC_INSTANCE, /* labels: name, project, type */
	METRIC_DISK,     /* and device: one for each disk of an instance */
	METRIC_NIC,      /* and device: one for each interface, named as inside */
	METRIC_PROJECT,  /* labels: project, type */
	METRIC_SERVER,   /* none */
};

enum metric_unit { METRIC_PLAIN, METRIC_NANOSECONDS };

struct metric {
	const char *name, *type;
	enum metric_of of;
	const char *field; /* of the source; "a/b" is b of a */
	enum metric_unit unit;
	const char *help;
};

extern const struct metric metrics[]; /* ends with name NULL */

/* Where the numbers come from. */
struct metric_sources {
	const json_t *instances; /* {text form of the ref: LXD's state}, those that run */
	const json_t *projects;  /* {project: {...}} */
	const json_t *server;
};

/* One metric: HELP, TYPE and its samples; nothing when no source has the field. */
void metric_write(struct sbuf *b, const struct metric *m, const struct metric_sources *from);
