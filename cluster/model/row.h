/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/model/row.h - what the members agree on (entity.def), what they tell each other
 * (fact.def), and how changes of it are told.
 */
#pragma once
#include "base/json.h"

enum entity {
#define ENTITY(kind, table, index, scope, noun, key) ENT_##kind,
#include "cluster/model/entity.def"
	ENT_MAX
};

enum fact {
#define FACT(kind, doc) kind,
#include "cluster/model/fact.def"
#undef FACT
	FACT_KINDS
};

enum scope { SCOPE_GLOBAL, SCOPE_PROJECT };

/* "instance", "image alias", ... for messages. */
const char *entity_name(enum entity e);
/* The same at the beginning of a sentence. */
#define ENTITY_TITLE_SIZE 64
const char *entity_title(enum entity e, char ret[ENTITY_TITLE_SIZE]);
enum scope entity_scope(enum entity e);

struct row {
	char *key;
	int64_t rev; /* revision of the last change; 0: no such row */
	json_t *doc; /* private copy of the caller */
};
void row_free(struct row *r);
#define _row_ __attribute__((cleanup(row_free)))

struct rows {
	struct row *v;
	size_t n;
};
void rows_free(struct rows *r);
#define _rows_ __attribute__((cleanup(rows_free)))

/* Called on the replica's thread after a change is visible, in order; text is the doc, NULL when
 * it is gone. Watchers must be quick: hand work to a pool. */
struct store_watch {
	void (*row)(void *arg, enum entity e, const char *key, int64_t rev, const char *text);
	void (*fact)(void *arg, enum fact f, const char *key, const char *member, const char *text);
	/* a lifecycle or logging event of another member */
	void (*event)(void *arg, const char *text);
	void *arg;
};
