/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/filter.h"
#include "api/rest/handle.h"
#include "api/work/candidates.h"
#include "api/work/check.h"
#include "api/work/icache.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/outlook.h"
#include "api/work/snapshot.h"
#include "api/work/usage.h"
#include "base/arch.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/migrate.h"
#include "node/container/keys.h"

#define LIST_MAX (256 << 20)

/* --- lists ----------------------------------------------------------------------------------- */

/* Clusters up to this size are asked for what their instances use by default. */
#define USAGE_MEMBERS 16

struct filtered {
	const struct filter *filter;
	json_t *usage; /* whole states by name, or NULL */
	struct sbuf *out;
	bool urls;
	const char *path;
	size_t n;
};

/* Most of a long list goes out as the text that it is. */
static void add_matching(void *arg, const char *name, const char *text, size_t len)
{
	struct filtered *f = arg;
	struct err err;
	json_t *state = json_obj(f->usage, name);
	bool needed = f->filter || state;
	_json_ json_t *object = needed ? json_parse(text, len, "instance", &err) : NULL;

	if ((needed && !object) || (f->filter && !filter_match(f->filter, object)))
		return;
	if (f->n++)
		sbuf_putc(f->out, ',');
	if (state)
		json_object_set(object, "state", state);
	if (f->urls) {
		_free_ char *url = ref_url(f->path, name);

		sbuf_json_string(f->out, url);
	} else if (state) {
		json_append(f->out, object);
	} else {
		sbuf_add(f->out, text, len);
	}
}

/* What instances use costs a call to each member: clients say whether they show it. Those of LXD
 * never do, and get all of it while that is cheap. */
static json_t *usage_wanted(struct req *r)
{
	const char *want = req_query(r, "usage");
	bool disk = str_eq(want, "disk"), yes = str_eq(want, "true");

	if (req_recursion(r) < 2)
		return NULL;
	if (str_empty(want))
		disk = store_count(req_env(r)->store, ENT_MEMBER, NULL) <= USAGE_MEMBERS;
	return disk || yes ? usage_all(req_env(r), disk) : NULL;
}

static const char *list_path(const struct req *r)
{
	return str_starts(req_path(r), "/1.0/containers") ? "containers" : "instances";
}

static int reply_list(struct req *r, const struct filter *filter)
{
	_sbuf_ struct sbuf b = SBUF(LIST_MAX);
	_json_ json_t *usage = usage_wanted(r);
	int recursion = req_recursion(r);
	struct filtered f = { .filter = filter,
			      .usage = usage,
			      .out = &b,
			      .urls = recursion == 0,
			      .path = list_path(r) };
	const struct icache_listing l = { req_lists_of(r), recursion, f.path };

	if (!filter && !usage) {
		icache_list(req_env(r), &l, &b);
	} else {
		sbuf_putc(&b, '[');
		icache_each_text(req_env(r), l.project, recursion ? recursion : 1, add_matching,
				 &f);
		sbuf_putc(&b, ']');
	}
	if (b.overflow)
		return err_set(req_err(r), ERR_LIMIT,
			       "the list of instances is larger than %d bytes: ask with a filter",
			       LIST_MAX);
	return reply_sync_text(r, b.data, b.len);
}

int h_instances_get(struct req *r)
{
	const char *type = req_query(r, "instance-type");
	struct filter *filter;
	bool ok;
	int rc;

	if (str_eq(type, "virtual-machine"))
		return reply_sync(r, json_array());
	filter = filter_parse(req_query(r, "filter"), &ok, req_err(r));
	if (!ok)
		return -1;
	rc = reply_list(r, filter);
	filter_free(filter);
	return rc;
}

/* --- one ------------------------------------------------------------------------------------- */

/* From its member, or as it was last heard of; of one whose member is offline nothing is known. */
static json_t *full_state(const struct api_env *env, const json_t *doc)
{
	const char *name = json_str(doc, "name", ""), *member = json_str(doc, "member", "");
	bool offline = cluster_member_life(env->cluster, member, NULL) == LIFE_OFFLINE;
	struct err ignored;
	json_t *state = offline ? NULL : usage_at(env, doc, &ignored);
	_json_ json_t *fact = NULL;

	if (state)
		return state;
	fact = offline ? NULL : store_fact_get(env->store, FACT_INSTANCE, name, NULL);
	state = instance_state_json(env, doc, fact);
	instance_put_status(state, instance_status(env, doc));
	return state;
}

static void add_full(struct req *r, const json_t *doc, json_t *j)
{
	json_object_set_new(j, "backups", json_null());
	json_object_set_new(j, "snapshots",
			    snapshots_json(req_env(r)->store, json_str(doc, "name", "")));
	json_object_set_new(j, "state", full_state(req_env(r), doc));
}

int h_instance_get(struct req *r)
{
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };
	enum status status;
	json_t *j;

	if (instance_get(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	j = instance_json(req_env(r)->store, NULL, row.doc);
	status = instance_status(req_env(r), row.doc);
	instance_put_status(j, status);
	json_object_set_new(j, "dunlin_move", outlook_of(req_env(r), row.doc, status));
	if (req_recursion(r) > 0)
		add_full(r, row.doc, j);
	writable = instance_writable(row.doc);
	set_etag(r, writable);
	return reply_sync(r, j);
}

int h_usage_get(struct req *r)
{
	return reply_sync(r, usage_here(req_env(r), req_query_true(r, "disk")));
}

int h_state_get(struct req *r)
{
	_row_ struct row row = { 0 };

	if (instance_get(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	return reply_sync(r, full_state(req_env(r), row.doc));
}

/* --- state ----------------------------------------------------------------------------------- */

int h_state_put(struct req *r)
{
	json_t *body = req_json(r, state_change_fields, "instance state");
	_row_ struct row row = { 0 };
	struct state_change change;

	if (!body || state_change_parse(body, &change, req_err(r)) < 0 ||
	    instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	return reply_job(r, &(struct job_order){ .kind = &jobs[change.action],
						 .name = row.key,
						 .own_args = json_incref(body) });
}

/* --- changing -------------------------------------------------------------------------------- */

static const struct json_field put_fields[] = {
	{ "architecture", JW_STR, false },
	{ "config", JW_STR_MAP, false },
	{ "devices", JW_OBJ, false },
	{ "ephemeral", JW_BOOL, false },
	{ "profiles", JW_STR_LIST, false },
	{ "restore", JW_STR, false },
	{ "stateful", JW_BOOL, false },
	{ "description", JW_STR, false },
	/* What clients read and send back unchanged. */
	{ "name", JW_STR, false },
	{ "status", JW_STR, false },
	{ "status_code", JW_INT, false },
	{ "created_at", JW_STR, false },
	{ "last_used_at", JW_STR, false },
	{ "location", JW_STR, false },
	{ "type", JW_STR, false },
	{ "project", JW_STR, false },
	{ "expanded_config", JW_OBJ, false },
	{ "expanded_devices", JW_OBJ, false },
	{ "dunlin_move", JW_OBJ, false },
	{ NULL, 0, 0 },
};

/* The writable members after the request: what a PUT leaves out is reset, of a PATCH kept. */
static json_t *changed_writable(struct req *r, const json_t *doc, const json_t *body)
{
	bool patch = is_patch(r);
	json_t *w = instance_writable(doc), *profiles = json_arr(body, "profiles");

	merge_map(w, "config", body, patch);
	merge_map(w, "devices", body, patch);
	json_object_set_new(w, "name", json_string(json_str(doc, "name", "")));
	if (profiles)
		json_object_set(w, "profiles", profiles);
	else if (!patch)
		json_object_set_new(w, "profiles", json_pack("[s]", PROFILE_DEFAULT));
	json_put_bool(w, "ephemeral",
		      json_bool(body, "ephemeral", patch && json_bool(doc, "ephemeral", false)));
	json_put_str(w, "description", json_str(body, "description", patch ? NULL : ""));
	return w;
}

/* It has a body of its own: nothing else of it is looked at. LXD's clients name its instance,
 * too. */
static int start_restore(struct req *r, const json_t *body)
{
	const char *name = json_str(body, "restore", ""), *slash = strrchr(name, '/');
	struct job_order o = { .kind = &jobs[JOB_RESTORE], .name = req_ref(r, 0) };

	if (json_bool(body, "stateful", false))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "snapshots with memory are not implemented");
	o.own_args = json_pack("{s:s}", "snapshot", slash ? slash + 1 : name);
	return reply_job(r, &o);
}

/* What clients send back, but can't change. */
static int check_kept(struct req *r, const json_t *doc, const json_t *body)
{
	const char *name = json_str(doc, "name", "");
	const char *arch = json_str(body, "architecture", "");
	_free_ char *what = xasprintf("instance \"%s\"", name);
	static const char *const fixed[] = { "name", "type", "project", NULL };
	_json_ json_t *given = json_copy(json_obj(body, "config")), *shown = NULL;
	struct ref ref = ref_of(name);

	if (json_bool(body, "stateful", false) && !inst_is_suspended(doc))
		return err_set(req_err(r), ERR_INVALID,
			       "%s: \"stateful\" tells of memory that is kept; a stateful stop "
			       "makes it so",
			       what);
	shown = json_pack("{s:s, s:s, s:s}", "name", ref.name, "type", "container", "project",
			  ref.project);
	if (check_fixed(r, what, body, shown, fixed) < 0)
		return -1;
	/* Before our own values take the place of what was sent. */
	if (given &&
	    keys_check(&instance_keys, what, given, json_obj(doc, "config"), req_err(r)) < 0)
		return -1;
	if (!str_empty(arch) && !str_eq(arch, json_str(doc, "architecture", "")) &&
	    !str_eq(arch_canonical(arch), json_str(doc, "architecture", "")))
		return err_set(req_err(r), ERR_INVALID,
			       "instance \"%s\": \"architecture\" can't be changed to \"%.40s\": "
			       "it is %s",
			       name, arch, json_str(doc, "architecture", ""));
	return 0;
}

/* What the row is to have, checked; NULL with an error. */
static json_t *next_writable(struct req *r, const struct row *row, const json_t *body)
{
	_json_ json_t *present = instance_writable(row->doc), *next = NULL;

	if (check_etag(r, present) < 0 || check_kept(r, row->doc, body) < 0)
		return NULL;
	next = changed_writable(r, row->doc, body);
	instance_keep_volatile(next, row->doc);
	return json_incref(next);
}

int h_instance_put(struct req *r)
{
	json_t *body = req_json(r, put_fields, "instance");
	_expanded_ struct expanded x = { 0 }, old = { 0 };
	_json_ json_t *next = NULL, *args = NULL;
	_row_ struct row row = { 0 };

	if (!body || instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	if (!str_empty(json_str(body, "restore", "")))
		return start_restore(r, body);
	next = next_writable(r, &row, body);
	if (!next)
		return -1;
	expand(req_env(r), row.doc, &old);
	if (instance_check(req_env(r), next, &old, NULL, &x, req_err(r)) < 0)
		return -1;
	args = json_pack("{s:O, s:I}", "writable", next, "rev",
			 (json_int_t)(req_header(r, "If-Match") ? row.rev : 0));
	return reply_job(r, &(struct job_order){ .kind = &jobs[JOB_UPDATE],
						 .name = row.key,
						 .own_args = take_ptr(args),
						 .own_x = &x,
						 .own_old = &old });
}

struct patch {
	struct req *r;
	const json_t *body;
};

/* Of the row as it is at each attempt. */
static json_t *patched(void *arg, const struct row *row, struct err *err)
{
	struct patch *p = arg;

	if (instance_check_here(req_env(p->r), row, err) < 0)
		return NULL;
	return next_writable(p->r, row, p->body);
}

int h_instance_patch(struct req *r)
{
	struct patch p = { r, req_json(r, put_fields, "instance") };
	struct instance_change c = { patched, &p };
	_row_ struct row row = { 0 };

	if (!p.body)
		return -1;
	if (!str_empty(json_str(p.body, "restore", "")))
		return err_set(req_err(r), ERR_INVALID, "\"restore\" is for a PUT");
	if (instance_get(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0 ||
	    job_call(req_env(r),
		     &(struct job_order){ .kind = &jobs[JOB_UPDATE],
					  .name = row.key,
					  .change = &c },
		     req_err(r)) < 0)
		return -1;
	return reply_sync(r, NULL);
}

int h_instance_delete(struct req *r)
{
	_row_ struct row row = { 0 };

	if (instance_get_deletable(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	return reply_job(r, &(struct job_order){ .kind = &jobs[JOB_DELETE], .name = row.key });
}

/* --- rename and move ------------------------------------------------------------------------- */

static const struct json_field post_fields[] = {
	{ "name", JW_STR, false },
	{ "migration", JW_BOOL, false },
	{ "live", JW_BOOL, false },
	{ "end_sessions", JW_BOOL, false },
	{ "mode", JW_STR, false },
	{ "instance_only", JW_BOOL, false },
	{ "container_only", JW_BOOL, false },
	{ "target", JW_OBJ, false },
	{ "pool", JW_STR, false },
	{ "project", JW_STR, false },
	{ "allow_inconsistent", JW_BOOL, false },
	{ "config", JW_STR_MAP, false },
	{ "devices", JW_OBJ, false },
	{ "profiles", JW_STR_LIST, false },
	{ NULL, 0, 0 },
};

/* What LXD's clients say of a running instance: it moves live, or is stopped. */
static const char *mode_of_live(const json_t *body)
{
	return move_kind_name(json_bool(body, "live", false) ? MOVE_LIVE : MOVE_COLD);
}

static const char *mode_of(const json_t *body, struct err *err)
{
	const char *mode = json_str(body, "mode", NULL);
	unsigned modes;

	if (!mode)
		return mode_of_live(body);
	if (json_object_get(body, "live")) {
		err_set(err, ERR_INVALID, "\"mode\" and \"live\" exclude each other");
		return NULL;
	}
	return move_modes_parse(mode, &modes, err) < 0 ? NULL : mode;
}

static int start_move(struct req *r, const json_t *body, const struct row *row)
{
	const char *new_name = json_str(body, "name", "");
	_free_ char *key = req_key(r, ENT_INSTANCE, new_name);
	_expanded_ struct expanded x = { 0 };
	struct place_choice choice = { 0 };
	struct job_order o = { .kind = &jobs[JOB_MOVE], .name = req_ref(r, 0), .own_x = &x };
	const char *mode = mode_of(body, req_err(r));

	if (!mode)
		return -1;
	if (!json_bool(body, "migration", false))
		return err_set(req_err(r), ERR_INVALID,
			       "a move to a member needs \"migration\": true");
	if (!str_empty(new_name) && instance_check_name(new_name, req_err(r)) < 0)
		return -1;
	if (place_move(req_env(r), row, req_query(r, "target"), &x, &choice, req_err(r)) < 0)
		return -1;
	o.own_args = json_pack("{s:s, s:s, s:s, s:b}", "new_name",
			       str_empty(new_name) ? req_ref(r, 0) : key, "target", choice.member,
			       "mode", mode, "end_sessions",
			       json_bool(body, "end_sessions", false));
	if (*choice.reason)
		o.own_metadata = json_pack("{s:{s:s, s:s}}", "placement", "member", choice.member,
					   "reason", choice.reason);
	return reply_job(r, &o);
}

static int start_rename(struct req *r, const char *new_name)
{
	_free_ char *key = req_key(r, ENT_INSTANCE, new_name);

	if (instance_check_name(new_name, req_err(r)) < 0)
		return -1;
	return reply_job(r, &(struct job_order){ .kind = &jobs[JOB_RENAME],
						 .name = req_ref(r, 0),
						 .own_args = json_pack("{s:s}", "new_name", key) });
}

static bool is_other_project(struct req *r, const char *project)
{
	return !str_empty(project) && !ref_is_in(req_ref(r, 0), project);
}

int h_instance_post(struct req *r)
{
	json_t *body = req_json(r, post_fields, "instance");
	const char *target = req_query(r, "target");
	_row_ struct row row = { 0 };

	if (!body || instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	if (!str_empty(json_str(body, "pool", "")) || json_obj(body, "target") ||
	    is_other_project(r, json_str(body, "project", "")))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "moving between pools, projects or servers is not implemented");
	if (json_object_size(json_obj(body, "config")) ||
	    json_object_size(json_obj(body, "devices")) ||
	    json_array_size(json_arr(body, "profiles")))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "instance \"%s\": config, devices and profiles can't be changed by "
			       "a move or a renaming: change them before or after it",
			       row.key);
	if (!str_empty(target))
		return start_move(r, body, &row);
	if (json_object_get(body, "mode"))
		return err_set(req_err(r), ERR_INVALID,
			       "\"mode\" is of a move to another member: name it as target");
	if (json_bool(body, "migration", false))
		return err_set(
			req_err(r), ERR_UNSUPPORTED,
			"copying, and moving to another server, are not implemented; to move to "
			"another member name it as target");
	return start_rename(r, json_str(body, "name", ""));
}
