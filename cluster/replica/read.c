/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/replica/read.h"

#include <string.h>

#include "base/mem.h"

int row_not_found(enum entity e, const char *key, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found", entity_name(e), key);
}

int row_parse(struct row *ret, enum entity e, const char *key, int64_t rev, const char *text,
	      struct err *err)
{
	json_t *doc = json_parse(text, strlen(text), entity_name(e), err);

	if (!doc)
		return -1;
	*ret = (struct row){ xstrdup(key), rev, doc };
	return 0;
}

int replica_get(struct replica *r, enum entity e, const char *key, struct row *ret,
		struct err *err)
{
	int64_t rev = 0;
	_free_ char *text = replica_text(r, e, key, &rev);

	return text ? row_parse(ret, e, key, rev, text, err) : row_not_found(e, key, err);
}

struct texts {
	struct {
		char *key, *text;
		int64_t rev;
	} * v;
	size_t n, room;
};

static void collect(void *arg, const char *key, int64_t rev, const char *text)
{
	struct texts *t = arg;

	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 16;
		t->v = xrealloc(t->v, t->room * sizeof(*t->v));
	}
	t->v[t->n].key = xstrdup(key);
	t->v[t->n].text = xstrdup(text);
	t->v[t->n++].rev = rev;
}

/* Texts are copied under the replica's lock and parsed outside it. */
int replica_list(struct replica *r, enum entity e, const char *value, struct rows *ret,
		 struct err *err)
{
	struct texts t = { 0 };
	struct rows rows = { 0 };
	int rc = 0;

	replica_each(r, e, value, collect, &t);
	rows.v = xcalloc(t.n + 1, sizeof(*rows.v));
	for (size_t i = 0; i < t.n; i++) {
		if (rc == 0)
			rc = row_parse(&rows.v[rows.n], e, t.v[i].key, t.v[i].rev, t.v[i].text,
				       err);
		rows.n += rc == 0;
		free(t.v[i].key);
		free(t.v[i].text);
	}
	free(t.v);
	if (rc < 0)
		rows_free(&rows);
	else
		*ret = rows;
	return rc;
}

json_t *replica_read_fact(struct replica *r, enum fact f, const char *key, char *ret_member)
{
	_free_ char *text = replica_fact(r, f, key, ret_member);
	struct err ignored;

	return text ? json_parse(text, strlen(text), "fact", &ignored) : NULL;
}
