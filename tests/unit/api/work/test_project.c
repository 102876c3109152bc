/* SPDX-License-Identifier: Apache-2.0 */
/* Two projects with instances, profiles and networks of the same names share nothing: with the real
 * store, and a node that runs nothing. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/check.h"
#include "api/work/find_image.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/spec.h"
#include "cluster/model/ref.h"
#include "node/container/lxcconf.h"

#define OTHER "web"

/* The default project first. */
static const char *const projects[] = { PROJECT_DEFAULT, OTHER };
static const char *const subnets[] = { "10.7.0.1/24", "10.8.0.1/24" };
static const char *const memories[] = { "64MiB", "128MiB" };

struct world {
	struct work_world work;
	char *keys[2]; /* of the instances "a" */
};

static void put(struct world *t, enum entity e, const char *project, const char *name, json_t *own)
{
	_free_ char *key = ref_key(e, project, name);

	world_put(&t->work.w, e, key, own);
}

static void make_project(struct world *t, int i)
{
	put(t, ENT_NETWORK, projects[i], "br0",
	    json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address", subnets[i]));
	put(t, ENT_PROFILE, projects[i], "small",
	    json_pack("{s:{s:s}, s:{s:{s:s,s:s}, s:{s:s,s:s,s:s}}}", "config", "limits.memory",
		      memories[i], "devices", "eth0", "type", "nic", "network", "br0", "root",
		      "type", "disk", "path", "/", "pool", "default"));
	t->keys[i] = ref_key(ENT_INSTANCE, projects[i], "a");
	put(t, ENT_INSTANCE, projects[i], "a",
	    json_pack("{s:s,s:s,s:s,s:s,s:[s],s:{},s:{},s:s,s:s,s:s}", "name", t->keys[i], "uuid",
		      projects[i], "member", "none", "architecture", "x86_64", "profiles", "small",
		      "config", "devices", "image", "", "power", "off", "state", "ready"));
}

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	work_world_open(&t->work);
	world_start(&t->work.w);
	world_put(&t->work.w, ENT_POOL, "default",
		  json_pack("{s:s, s:{}}", "driver", "overlay", "config"));
	for (int i = 0; i < 2; i++)
		make_project(t, i);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	for (int i = 0; i < 2; i++)
		free(t->keys[i]);
	work_world_close(&t->work);
	free(t);
	return 0;
}

static json_t *doc_of(struct world *t, int i)
{
	_row_ struct row row = { 0 };
	struct err err = { 0 };

	assert_int_equal(instance_get(&t->work.env, t->keys[i], &row, &err), 0);
	return json_incref(row.doc);
}

static json_t *spec_of(struct world *t, int i)
{
	_json_ json_t *doc = doc_of(t, i);
	_expanded_ struct expanded x = { 0 };
	struct err err = { 0 };
	json_t *spec;

	expand(&t->work.env, doc, &x);
	spec = spec_build(&t->work.env, &x, NULL, &err);
	if (!spec)
		fail_msg("%s", err.msg);
	return spec;
}

static void lease(struct world *t, int i)
{
	_picks_ struct address_picks picks = { 0 };
	_json_ json_t *doc = doc_of(t, i);
	_tx_ struct tx *tx = tx_new();
	struct address_wish wish = { .dynamic = true };
	_expanded_ struct expanded x = { 0 };
	struct err err = { 0 };

	expand(&t->work.env, doc, &x);
	if (address_plan(&t->work.env, &x, &wish, tx, &picks, &err) != 1)
		fail_msg("%s", err.msg);
	assert_int_equal(store_commit(t->work.w.store, tx, 0, NULL, &err), 0);
}

static char *conf_of(const json_t *spec)
{
	struct sbuf out = SBUF(65536);
	struct err err = { 0 };
	struct lxcconf conf = { .spec = spec,
				.lxcpath = "/d/containers",
				.cgroup_name = "dunlin-x",
				.use = DEVICE_START };

	if (lxcconf_text(&conf, &out, &err) < 0)
		fail_msg("%s", err.msg);
	return sbuf_take(&out);
}

/* Rows, locks, volumes, folders, cgroups: all that bears a name on a host. */
static void nothing_on_the_host_is_shared(void **state)
{
	static const char *const parts[] = { "lxc.rootfs.path", "lxc.cgroup.dir.container",
					     "lxc.cgroup.dir.monitor", "lxc.log.file" };
	struct world *t = *state;
	_json_ json_t *a = spec_of(t, 0), *b = spec_of(t, 1);
	_free_ char *conf_a = conf_of(a), *conf_b = conf_of(b);
	_free_ char *lock_a = ref_lock(ENT_INSTANCE, t->keys[0]);
	_free_ char *lock_b = ref_lock(ENT_INSTANCE, t->keys[1]);

	assert_string_not_equal(t->keys[0], t->keys[1]);
	assert_string_not_equal(lock_a, lock_b);
	assert_string_not_equal(json_str(json_obj(a, "rootfs"), "volume", ""),
				json_str(json_obj(b, "rootfs"), "volume", ""));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *of_a = strstr(conf_a, parts[i]), *of_b = strstr(conf_b, parts[i]);

		assert_non_null(of_a);
		assert_non_null(of_b);
		if (strcspn(of_a, "\n") == strcspn(of_b, "\n") &&
		    memcmp(of_a, of_b, strcspn(of_a, "\n")) == 0)
			fail_msg("shared: %s", parts[i]);
	}
	assert_string_equal(json_str(a, "hostname", ""), "a");
	assert_string_equal(json_str(b, "hostname", ""), "a");
}

static void profiles_and_networks_are_those_of_the_project(void **state)
{
	struct world *t = *state;
	const char *bridges[2];
	_json_ json_t *specs = json_array();

	for (int i = 0; i < 2; i++) {
		_free_ char *network = ref_key(ENT_NETWORK, projects[i], "br0");
		json_t *spec, *nic;

		lease(t, i);
		spec = spec_of(t, i);
		json_array_append_new(specs, spec);
		nic = json_array_get(json_arr(spec, "devices"), 0);
		bridges[i] = json_str(nic, "bridge", "");
		assert_string_equal(json_str(nic, "network", ""), network);
		assert_string_equal(json_str(json_obj(spec, "config"), "limits.memory", ""),
				    memories[i]);
		assert_memory_equal(json_str(nic, "ipv4", ""), subnets[i], strlen("10.7.0."));
		assert_true(str_is_ifname(bridges[i]));
	}
	assert_string_equal(bridges[0], "br0");
	assert_string_not_equal(bridges[0], bridges[1]);
}

static json_t *list(struct world *t, const char *project, int recursion)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);
	struct err err = { 0 };
	json_t *j;

	icache_list(&t->work.env, &(struct icache_listing){ project, recursion, "instances" }, &b);
	j = json_parse(b.data, b.len, "list", &err);
	assert_non_null(j);
	return j;
}

static void a_list_shows_one_project_or_all(void **state)
{
	static const char *const urls[] = { "/1.0/instances/a", "/1.0/instances/a?project=" OTHER };
	struct world *t = *state;
	_json_ json_t *all = list(t, NULL, 0), *none = list(t, "nobody", 1);

	for (int i = 0; i < 2; i++) {
		_json_ json_t *shown = list(t, projects[i], 1), *bare = list(t, projects[i], 0);
		const json_t *one = json_array_get(shown, 0);
		json_t *eth0 = json_obj(json_obj(one, "expanded_devices"), "eth0");

		assert_int_equal(json_array_size(shown), 1);
		assert_int_equal(json_array_size(bare), 1);
		assert_string_equal(json_str(one, "name", ""), "a");
		assert_string_equal(json_str(one, "project", ""), projects[i]);
		assert_string_equal(json_str(eth0, "network", ""), "br0");
		assert_string_equal(json_string_value(json_array_get(bare, 0)), urls[i]);
		assert_string_equal(json_string_value(json_array_get(all, i)), urls[i]);
	}
	assert_int_equal(json_array_size(all), 2);
	assert_int_equal(json_array_size(none), 0);
}

static void remember_uses(void *arg, const struct icache_view *v)
{
	json_object_set(arg, v->name, (json_t *)v->uses);
}

static void users_are_those_of_the_project(void **state)
{
	struct world *t = *state;
	_json_ json_t *uses = json_object();

	icache_each(&t->work.env, remember_uses, uses);
	for (int i = 0; i < 2; i++) {
		const json_t *of = json_obj(uses, t->keys[i]);
		_free_ char *profile = ref_key(ENT_PROFILE, projects[i], "small");
		_free_ char *network = ref_key(ENT_NETWORK, projects[i], "br0");
		_json_ json_t *doc = doc_of(t, i);

		assert_string_equal(json_string_value(json_array_get(json_arr(of, "profiles"), 0)),
				    profile);
		assert_string_equal(json_string_value(json_array_get(json_arr(of, "networks"), 0)),
				    network);
		assert_string_equal(json_string_value(json_array_get(json_arr(of, "pools"), 0)),
				    "default");
		assert_true(instance_has_profile(doc, profile));
		assert_int_equal(instance_has_profile(doc, "small"), i == 0);
	}
}

/* What another project has is not there. */
static void names_of_other_projects_are_not_found(void **state)
{
	struct world *t = *state;
	struct err err = { 0 };

	put(t, ENT_PROFILE, OTHER, "only", json_pack("{s:{}, s:{}}", "config", "devices"));
	for (int i = 0; i < 2; i++) {
		_json_ json_t *doc = doc_of(t, i), *sly = doc_of(t, i);
		_expanded_ struct expanded x = { 0 };

		json_array_append_new(json_arr(doc, "profiles"), json_string("only"));
		json_array_append_new(json_arr(sly, "profiles"), json_string(OTHER "~only"));
		assert_int_equal(instance_check(&t->work.env, doc, NULL, NULL, &x, &err),
				 i == 0 ? -1 : 0);
		assert_int_equal(instance_check(&t->work.env, sly, NULL, NULL, &x, &err), -1);
		assert_int_equal(err.kind, ERR_NOT_FOUND);
	}
}

/* The same files are images of both, under other aliases; each finds its own. */
static void images_are_those_of_the_project(void **state)
{
	static const char one[] =
		"aa11111111111111111111111111111111111111111111111111111111111111";
	static const char two[] =
		"aa22222222222222222222222222222222222222222222222222222222222222";
	static const struct {
		const char *project, *alias, *fingerprint;
		enum err_kind prefix; /* what "aa" gives */
	} t[] = {
		{ PROJECT_DEFAULT, "base", one, ERR_INVALID },
		{ PROJECT_DEFAULT, "later", two, ERR_INVALID },
		{ OTHER, "base", two, ERR_NONE },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		put(w, ENT_IMAGE, t[i].project, t[i].fingerprint,
		    json_pack("{s:s}", "fingerprint", t[i].fingerprint));
		put(w, ENT_ALIAS, t[i].project, t[i].alias,
		    json_pack("{s:s}", "target", t[i].fingerprint));
	}
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_free_ char *key = ref_key(ENT_IMAGE, t[i].project, t[i].fingerprint);
		_row_ struct row by_alias = { 0 }, by_prefix = { 0 };
		struct err err = { 0 };

		assert_int_equal(
			image_by_name(&w->work.env, t[i].project, t[i].alias, &by_alias, &err), 0);
		assert_string_equal(by_alias.key, key);
		err.kind = ERR_NONE;
		image_by_fingerprint(&w->work.env, t[i].project, "aa", &by_prefix, &err);
		assert_int_equal(err.kind, t[i].prefix);
		assert_true(image_known(&w->work.env, t[i].fingerprint));
	}
	assert_false(image_known(&w->work.env, "aa"));
}

static void images_of_other_projects_are_not_found(void **state)
{
	static const char fp[] = "bb11111111111111111111111111111111111111111111111111111111111111";
	struct world *w = *state;

	put(w, ENT_IMAGE, OTHER, fp, json_pack("{s:s}", "fingerprint", fp));
	put(w, ENT_ALIAS, OTHER, "theirs", json_pack("{s:s}", "target", fp));
	for (int i = 0; i < 2; i++) {
		_row_ struct row a = { 0 }, b = { 0 }, c = { 0 };
		struct err err = { 0 };
		int rc = i == 0 ? -1 : 0;

		assert_int_equal(image_by_name(&w->work.env, projects[i], "theirs", &a, &err), rc);
		assert_int_equal(image_by_fingerprint(&w->work.env, projects[i], fp, &b, &err), rc);
		assert_int_equal(
			image_by_name(&w->work.env, projects[i], OTHER "~theirs", &c, &err), -1);
		assert_int_equal(err.kind, ERR_NOT_FOUND);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_on_the_host_is_shared),
		T(profiles_and_networks_are_those_of_the_project),
		T(a_list_shows_one_project_or_all),
		T(users_are_those_of_the_project),
		T(names_of_other_projects_are_not_found),
		T(images_are_those_of_the_project),
		T(images_of_other_projects_are_not_found),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
