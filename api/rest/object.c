/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/object.h"

#include <assert.h>
#include <string.h>

#include "api/rest/filter.h"
#include "api/rest/locations.h"
#include "api/rest/uses.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define FIELDS_MAX 16
#define URL_MAX 4096
#define COMMIT_TRIES 50

static const struct kind *kind_of(const struct req *r)
{
	assert(req_row(r)->kind);
	return req_row(r)->kind;
}

/* --- URLs and events ------------------------------------------------------------------------- */

char *object_url(const char *path, const char *const params[], const char *name)
{
	_free_ char *last = str_url_encode(name);
	struct sbuf url = SBUF(URL_MAX);
	const char *part;

	while ((part = strstr(path, "/{")) && part[strcspn(part, "}") + 1]) {
		_free_ char *value = str_url_encode(*params++);

		sbuf_printf(&url, "%.*s/%s", (int)(part - path), path, value);
		path = part + strcspn(part, "}") + 1;
	}
	sbuf_printf(&url, "%.*s/%s", part ? (int)(part - path) : (int)strlen(path), path, last);
	return sbuf_take(&url);
}

/* Of the object of this key, in its project. */
static char *url(const struct req *r, const char *key)
{
	const char *params[ROUTE_PARAMS_MAX];
	_free_ char *bare = NULL;

	for (int i = 0; i < ROUTE_PARAMS_MAX; i++)
		params[i] = req_param(r, i);
	bare = object_url(req_row(r)->path, params, ref_of(key).name);
	return ref_add_project(bare, key);
}

/* "storage-pool-created" */
static void tell(struct req *r, const char *own_url, const char *key, const char *done)
{
	_free_ char *action = xasprintf("%s-%s", entity_name(kind_of(r)->entity), done);

	assert(own_url);
	for (char *c = action; *c; c++)
		*c = *c == ' ' ? '-' : *c;
	tell_event_at(r, action, own_url, key);
}

/* --- fields ---------------------------------------------------------------------------------- */

static bool is_writable(const struct field *f)
{
	return f->use == FIELD_WRITE || f->use == FIELD_KEEP;
}

static json_t *empty(enum json_want want)
{
	switch (want) {
	case JW_STR:
		return json_string("");
	case JW_BOOL:
		return json_false();
	case JW_INT:
		return json_integer(0);
	case JW_ARR:
	case JW_STR_LIST:
		return json_array();
	default:
		return json_object();
	}
}

static json_t *given(const json_t *body, const char *key)
{
	json_t *v = json_object_get(body, key);

	return json_is_null(v) ? NULL : v;
}

json_t *object_writable(const struct kind *k, const json_t *doc)
{
	json_t *j = json_object();

	for (const struct field *f = k->fields; f->key; f++) {
		json_t *v = json_object_get(doc, f->key);

		if (is_writable(f))
			json_object_set_new(j, f->key, v ? json_copy(v) : empty(f->want));
	}
	return j;
}

void object_merge(const struct kind *k, json_t *doc, const json_t *body, bool patch)
{
	for (const struct field *f = k->fields; f->key; f++) {
		json_t *v = given(body, f->key);

		if (!is_writable(f))
			continue;
		if (f->want == JW_STR_MAP || f->want == JW_OBJ)
			merge_map(doc, f->key, body, patch);
		else if (v)
			json_object_set(doc, f->key, v);
		else if (!patch && f->use == FIELD_WRITE)
			json_object_set_new(doc, f->key, empty(f->want));
	}
}

/* The body: of a new object, or else of a change. */
static json_t *body_of(struct req *r, bool new)
{
	const struct kind *k = kind_of(r);
	struct json_field list[FIELDS_MAX] = { 0 };
	size_t n = 0;

	for (const struct field *f = k->fields; f->key; f++) {
		assert(n < FIELDS_MAX - 1);
		if (!new || f->use != FIELD_SHOWN)
			list[n++] = (struct json_field){ f->key, f->want, new && f->required };
	}
	return req_json(r, list, entity_name(k->entity));
}

static json_t *new_doc(const struct kind *k, const json_t *body)
{
	json_t *doc = json_object();

	for (const struct field *f = k->fields; f->key; f++) {
		if (f->use == FIELD_FIXED)
			json_put_str(doc, f->key, json_str(body, f->key, NULL));
	}
	object_merge(k, doc, body, false);
	return doc;
}

/* What can't be changed may be sent back as it was shown. */
static int check_same(struct req *r, const struct change *c, const json_t *body)
{
	for (const struct field *f = c->kind->fields; f->key; f++) {
		const char *sent = json_str(body, f->key, "");
		const char *is = f->use == FIELD_NAME ? c->name : json_str(c->seen, f->key, "");

		if (f->use > FIELD_FIXED || str_empty(sent) || str_eq(sent, is))
			continue;
		return err_set(req_err(r), ERR_INVALID,
			       "%s: \"%s\" can't be changed to \"%.64s\": it is \"%.64s\"", c->what,
			       f->key, sent, is);
	}
	return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

static int ready(struct req *r, const struct kind *k)
{
	return k->ready ? k->ready(r) : 0;
}

int object_find(struct req *r, const struct kind *k, struct row *ret)
{
	const char *name = req_param(r, 0);
	_free_ char *key = req_key(r, k->entity, name);
	char title[ENTITY_TITLE_SIZE];

	if (ready(r, k) < 0)
		return -1;
	if (k->find ? k->find(r, name, ret) == 0
		    : store_get(req_env(r)->store, k->entity, key, ret, req_err(r)) == 0) {
		if (!k->hidden || !k->hidden(r, ret))
			return 0;
		req_err(r)->kind = ERR_NOT_FOUND;
	}
	if (req_err(r)->kind != ERR_NOT_FOUND)
		return -1;
	return err_set(req_err(r), ERR_NOT_FOUND, "%s not found: \"%.64s\"",
		       entity_title(k->entity, title), name);
}

static json_t *seen(struct req *r, const struct row *row)
{
	const struct kind *k = kind_of(r);

	return k->seen ? k->seen(r, row) : json_incref(row->doc);
}

static json_t *render(struct req *r, const struct row *row)
{
	const struct kind *k = kind_of(r);
	_json_ json_t *doc = seen(r, row);
	json_t *j = object_writable(k, doc);

	for (const struct field *f = k->fields; f->key; f++) {
		if (f->use == FIELD_NAME)
			json_put_str(j, f->key, ref_of(row->key).name);
		if (f->use == FIELD_FIXED)
			json_put_str(j, f->key, json_str(doc, f->key, ""));
		if (f->use == FIELD_SHOWN)
			json_object_set(j, f->key, json_object_get(doc, f->key));
	}
	if (k->used_as)
		json_object_set_new(j, "used_by", used_by(req_env(r), k->used_as, row->key));
	if (k->show)
		k->show(r, row, j);
	return j;
}

static void list_one(struct req *r, const struct row *row, const struct filter *filter,
		     json_t *list)
{
	_free_ char *own_url = url(r, row->key);
	_json_ json_t *j = filter || req_recursion(r) ? render(r, row) : NULL;

	if (filter_match(filter, j))
		json_array_append_new(list,
				      req_recursion(r) ? json_incref(j) : json_string(own_url));
}

static int all_rows(struct req *r, const struct kind *k, struct rows *ret)
{
	return k->rows ? k->rows(r, ret)
		       : store_list(req_env(r)->store, k->entity, NULL, ret, req_err(r));
}

int object_list(struct req *r)
{
	const struct kind *k = kind_of(r);
	_rows_ struct rows rows = { 0 };
	_json_ json_t *list = json_array();
	struct filter *filter;
	bool ok;

	if (ready(r, k) < 0 || all_rows(r, k, &rows) < 0)
		return -1;
	filter = filter_parse(req_query(r, "filter"), &ok, req_err(r));
	if (!ok)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (req_lists(r, k->entity, rows.v[i].key) &&
		    (!k->hidden || !k->hidden(r, &rows.v[i])))
			list_one(r, &rows.v[i], filter, list);
	}
	filter_free(filter);
	return reply_sync(r, json_incref(list));
}

int object_get(struct req *r)
{
	_json_ json_t *doc = NULL, *writable = NULL;
	_row_ struct row row = { 0 };

	if (object_find(r, kind_of(r), &row) < 0)
		return -1;
	doc = seen(r, &row);
	writable = object_writable(kind_of(r), doc);
	set_etag(r, writable);
	return reply_sync(r, render(r, &row));
}

/* --- changing -------------------------------------------------------------------------------- */

struct attempt {
	struct change c;
	struct row row; /* as it was; without a key when there was none */
	char *key, *new_key, *what;
};

static void attempt_start(struct req *r, struct attempt *a)
{
	*a = (struct attempt){ .c = { .kind = kind_of(r),
				      .tx = tx_new(),
				      .revision = store_revision(req_env(r)->store) } };
}

static void attempt_done(struct attempt *a)
{
	row_free(&a->row);
	json_decref(a->c.doc);
	tx_free(a->c.tx);
	free(a->key);
	free(a->new_key);
	free(a->what);
}
#define _attempt_ __attribute__((cleanup(attempt_done)))

static void attempt_names(struct attempt *a, char *own_key)
{
	assert(own_key);
	a->c.key = a->key = own_key;
	a->c.name = ref_of(own_key).name;
	a->c.what = a->what = xasprintf("%s \"%.64s\"", entity_name(a->c.kind->entity), a->c.name);
}

static int attempt_find(struct req *r, struct attempt *a)
{
	if (object_find(r, a->c.kind, &a->row) < 0)
		return -1;
	attempt_names(a, xstrdup(a->row.key));
	a->c.old = a->row.doc;
	return 0;
}

static int exists(struct req *r, const struct kind *k, const char *name)
{
	char title[ENTITY_TITLE_SIZE];

	return err_set(req_err(r), ERR_CONFLICT, "%s \"%.64s\" already exists",
		       entity_title(k->entity, title), name);
}

static int check_name_of(const struct kind *k, const char *name, struct err *err)
{
	const char *without = k->name_without ? k->name_without : "";

	if (k->is_name ? k->is_name(name)
		       : name_is_free(name, k->name_max) && !strpbrk(name, without))
		return 0;
	if (k->is_name)
		return err_set(err, ERR_INVALID, "%s: invalid name \"%.64s\" (%s)",
			       entity_name(k->entity), name, k->name_rule);
	return err_set(err, ERR_INVALID,
		       "%s: invalid name \"%.64s\" (1 to %zu bytes, none of them one of \"/~%s\")",
		       entity_name(k->entity), name, k->name_max, without);
}

static int check_new_name(struct req *r, const struct kind *k, const char *name, const char *key)
{
	_row_ struct row taken = { 0 };

	if (check_name_of(k, name, req_err(r)) < 0)
		return -1;
	if (store_get(req_env(r)->store, k->entity, key, &taken, req_err(r)) == 0)
		return exists(r, k, name);
	return req_err(r)->kind == ERR_NOT_FOUND ? 0 : -1;
}

/* name: of the new row, if there is one. */
static int commit(struct req *r, const struct change *c, const char *name)
{
	const struct kind *k = c->kind;

	if (store_commit(req_env(r)->store, c->tx, 0, NULL, req_err(r)) == 0)
		return 0;
	if (req_err(r)->kind == ERR_CONFLICT && name)
		return exists(r, k, name);
	if (req_err(r)->kind != ERR_UNKNOWN && k->undo)
		k->undo(r, c);
	return -1;
}

static int hook(int (*fn)(struct req *r, struct change *c), struct req *r, struct change *c)
{
	return fn ? fn(r, c) : 0;
}

static int apply(struct req *r, const struct change *c)
{
	return c->kind->apply ? c->kind->apply(r, c) : 0;
}

static const char *key_of_name(const struct kind *k)
{
	const struct field *f = k->fields;

	while (f->use != FIELD_NAME)
		f++;
	assert(f->key);
	return f->key;
}

/* As long as what it looked at changes before it has committed: a busy cluster wins after many
 * times, and a client that gave an ETag decides for itself. */
static int again(struct req *r, int (*once)(struct req *r))
{
	int rc = once(r);

	for (int i = 1; i < COMMIT_TRIES && rc < 0; i++) {
		if (req_err(r)->kind != ERR_PRECONDITION || req_header(r, "If-Match"))
			break;
		rc = once(r);
	}
	return rc;
}

static int create(struct req *r)
{
	_attempt_ struct attempt a;
	struct change *c = &a.c;
	_free_ char *own_url = NULL;
	const char *name;
	json_t *body;

	attempt_start(r, &a);
	body = ready(r, c->kind) == 0 ? body_of(r, true) : NULL;
	if (!body)
		return -1;
	name = json_str(body, key_of_name(c->kind), "");
	attempt_names(&a, req_key(r, c->kind->entity, name));
	c->doc = new_doc(c->kind, body);
	own_url = url(r, c->key);
	if (check_new_name(r, c->kind, name, c->key) < 0 || hook(c->kind->fix, r, c) < 0)
		return -1;
	if (!str_empty(req_query(r, "target")))
		return reply_member_part(r, own_url);
	if (hook(c->kind->check, r, c) < 0)
		return -1;
	tx_put(c->tx, c->kind->entity, c->key, REV_NONE, c->doc);
	if (commit(r, c, c->name) < 0 || apply(r, c) < 0)
		return -1;
	tell(r, own_url, c->key, "created");
	return reply_created(r, own_url);
}

int object_create(struct req *r)
{
	return kind_of(r)->make ? kind_of(r)->make(r) : again(r, create);
}

/* Of an object without keys of a member's own. */
static int refuse_target(struct req *r, const char *what)
{
	const char *target = req_query(r, "target");

	if (str_empty(target))
		return 0;
	return err_set(req_err(r), ERR_INVALID,
		       "%s has no configuration of member \"%.64s\" alone: change it without a "
		       "target",
		       what, target);
}

static int change(struct req *r)
{
	_attempt_ struct attempt a;
	struct change *c = &a.c;
	_free_ char *own_url = NULL;
	_json_ json_t *doc = NULL, *writable = NULL;
	json_t *body;

	attempt_start(r, &a);
	body = body_of(r, false);
	if (!body || attempt_find(r, &a) < 0 || refuse_target(r, c->what) < 0)
		return -1;
	c->seen = doc = seen(r, &a.row);
	writable = object_writable(c->kind, doc);
	if (check_etag(r, writable) < 0 || check_same(r, c, body) < 0)
		return -1;
	c->doc = json_deep_copy(c->old);
	object_merge(c->kind, c->doc, body, is_patch(r));
	if (hook(c->kind->check, r, c) < 0)
		return -1;
	tx_put(c->tx, c->kind->entity, c->key, a.row.rev, c->doc);
	if (commit(r, c, NULL) < 0 || apply(r, c) < 0)
		return -1;
	own_url = url(r, c->key);
	tell(r, own_url, c->key, "updated");
	return reply_sync(r, NULL);
}

int object_change(struct req *r)
{
	return again(r, change);
}

/* Nobody uses it, also when tx is committed. */
static int may_leave(struct req *r, struct change *c, const char *verb)
{
	const struct kind *k = c->kind;
	char title[ENTITY_TITLE_SIZE];

	if (k->keep && str_eq(c->name, k->keep))
		return err_set(req_err(r), ERR_FORBIDDEN, "The \"%s\" %s can't be %s", k->keep,
			       entity_name(k->entity), verb);
	if (k->used_as) {
		if (refuse_used(r, entity_title(k->entity, title), k->used_as, c->key) < 0)
			return -1;
		tx_check_still(c->tx, ENT_INSTANCE, c->revision);
		if (k->entity != ENT_PROFILE)
			tx_check_still(c->tx, ENT_PROFILE, c->revision);
	}
	return hook(k->leave, r, c);
}

static int rename_object(struct req *r)
{
	_attempt_ struct attempt a;
	struct change *c = &a.c;
	const char *key = key_of_name(kind_of(r));
	const struct json_field fields[] = { { key, JW_STR, true }, { NULL, 0, 0 } };
	json_t *body = req_json(r, fields, entity_name(kind_of(r)->entity));
	_free_ char *own_url = NULL;

	attempt_start(r, &a);
	if (!body || attempt_find(r, &a) < 0)
		return -1;
	c->new_name = json_str(body, key, "");
	c->doc = json_deep_copy(c->old);
	if (json_object_get(c->doc, key))
		json_put_str(c->doc, key, c->new_name);
	a.new_key = req_key(r, c->kind->entity, c->new_name);
	if (check_new_name(r, c->kind, c->new_name, a.new_key) < 0 ||
	    may_leave(r, c, "renamed") < 0)
		return -1;
	tx_delete(c->tx, c->kind->entity, c->key, a.row.rev);
	tx_put(c->tx, c->kind->entity, a.new_key, REV_NONE, c->doc);
	if (commit(r, c, c->new_name) < 0)
		return -1;
	own_url = url(r, a.new_key);
	tell(r, own_url, a.new_key, "renamed");
	return reply_created(r, own_url);
}

int object_rename(struct req *r)
{
	const char *why = kind_of(r)->no_rename;

	return why ? err_set(req_err(r), ERR_UNSUPPORTED, "%s", why) : again(r, rename_object);
}

static int delete (struct req *r)
{
	_attempt_ struct attempt a;
	struct change *c = &a.c;
	_free_ char *own_url = NULL;

	attempt_start(r, &a);
	if (attempt_find(r, &a) < 0 || may_leave(r, c, "deleted") < 0)
		return -1;
	tx_delete(c->tx, c->kind->entity, c->key, a.row.rev);
	if (commit(r, c, NULL) < 0 || apply(r, c) < 0)
		return -1;
	own_url = url(r, c->key);
	tell(r, own_url, c->key, "deleted");
	return reply_sync(r, NULL);
}

int object_delete(struct req *r)
{
	const struct kind *k = kind_of(r);
	_row_ struct row row = { 0 };

	if (!k->remove)
		return again(r, delete);
	return object_find(r, k, &row) < 0 ? -1 : k->remove(r, &row);
}

/* --- what is always there -------------------------------------------------------------------- */

static void keep_one(const struct api_env *env, const struct kind *k)
{
	_json_ json_t *given = json_object(), *doc = json_object();
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();
	struct err err;

	if (store_get(env->store, k->entity, k->keep, &row, &err) == 0)
		return;
	json_put_str(given, "description", k->keep_text);
	object_merge(k, doc, given, false);
	tx_put(tx, k->entity, k->keep, REV_NONE, doc);
	if (store_commit(env->store, tx, 0, NULL, &err) < 0 && err.kind != ERR_CONFLICT)
		log_err(LOG_WARN, "a default object is not made", &err);
}

void objects_keep(const struct api_env *env, const struct route *routes)
{
	for (; routes->method; routes++) {
		if (routes->handler == object_create && routes->kind->keep)
			keep_one(env, routes->kind);
	}
}
