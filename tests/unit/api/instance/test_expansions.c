/* SPDX-License-Identifier: Apache-2.0 */
/* A request expands an instance's profiles once, from its handler to the last step of its job: with
 * the real store, and a container that runs. */
#include "tests/unit/api/api_world.h"
#include "tests/unit/node/container/container_world.h"

#include "api/work/expand.h"
#include "api/work/spec.h"
#include "migrate/move_int.h"

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static uint64_t before;
static struct world guarded; /* what a test leaves that is killed */

static void put_image(struct api_world *t)
{
	_free_ char *tarball = xasprintf("%s/images/" FINGERPRINT, t->w.dir);
	_free_ char *root = xasprintf("%s.root", tarball);
	struct err err = { 0 };

	make_root(root);
	must(io_write_file(tarball, "", 0, 0600, &err), &err);
	world_put(&t->w, ENT_IMAGE, FINGERPRINT,
		  json_pack("{s:s, s:s, s:{}}", "fingerprint", FINGERPRINT, "architecture", "",
			    "properties"));
}

static void put_profile(struct api_world *t, const char *name, const char *value)
{
	world_put(&t->w, ENT_PROFILE, name,
		  json_pack("{s:{s:s}, s:{s:{s:s,s:s,s:s}}}", "config", "user.a", value, "devices",
			    "root", "type", "disk", "path", "/", "pool", "default"));
}

/* No move gets so far. */
static int need_image(void *arg, const char *fingerprint, struct op *op, struct err *err)
{
	return -1;
}

static int need_networks(void *arg, const json_t *spec, struct err *err)
{
	return -1;
}

static int takes(void *arg, struct err *err)
{
	return 0;
}

static struct mover *make_mover(struct api_world *t)
{
	return mover_new(&(struct mover_opts){ .cluster = t->w.cluster,
					       .node = t->env.node,
					       .spec = spec_for_move,
					       .need_image = need_image,
					       .need_networks = need_networks,
					       .takes = takes,
					       .arg = &t->env });
}

static int open_world(void **state)
{
	struct api_world *t = xnew(struct api_world);

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	api_world_make(t);
	str_copy(guarded.dir, sizeof(guarded.dir), t->w.dir);
	str_copy(guarded.cg, sizeof(guarded.cg), t->cgroup);
	guard_start(&guarded);
	t->env.mover = make_mover(t);
	api_world_run(t);
	world_put(&t->w, ENT_POOL, "default", json_pack("{s:s, s:{}}", "driver", "dir", "config"));
	put_profile(t, "default", "profile");
	put_profile(t, "second", "second");
	put_image(t);
	*state = t;
	return 0;
}

static int close_world(void **state)
{
	struct api_world *t = *state;
	struct mover *m = t->env.mover;
	int rc = api_world_close(state);

	mover_free(m);
	guard_end(&guarded);
	return rc;
}

static void begin(struct api_world *t)
{
	before = expand_count(&t->env);
}

static void assert_count(struct api_world *t, const char *what, int want)
{
	int is = (int)(expand_count(&t->env) - before);

	if (is != want)
		fail_msg("%s: expanded %d times, not %d", what, is, want);
}

/* The request and its operation, which ends well. */
static void expands(struct api_world *t, const char *line, const char *body, int want)
{
	begin(t);
	api_expect(t, line, body, 202);
	api_await(t);
	assert_count(t, line, want);
}

static void of_one_that_runs(void **state)
{
	struct api_world *t = *state;

	expands(t, "POST /1.0/instances",
		"{\"name\":\"c1\",\"start\":true,\"config\":{\"user.b\":\"own\"},"
		"\"source\":{\"type\":\"image\",\"fingerprint\":\"" FINGERPRINT "\"}}",
		1);
	assert_int_equal(container_status(t->env.node, "c1"), STATUS_RUNNING);
	expands(t, "PUT /1.0/instances/c1", "{\"config\":{\"limits.memory\":\"200MiB\"}}", 1);
	/* Those that it had, and those that it gets. */
	expands(t, "PUT /1.0/instances/c1", "{\"profiles\":[\"default\",\"second\"]}", 2);
	begin(t);
	api_expect(t, "PATCH /1.0/instances/c1", "{\"config\":{\"limits.memory\":\"220MiB\"}}",
		   200);
	assert_count(t, "PATCH", 1);
	expands(t, "PUT /1.0/instances/c1/state", "{\"action\":\"restart\",\"force\":true}", 1);
	assert_int_equal(container_status(t->env.node, "c1"), STATUS_RUNNING);
	expands(t, "PUT /1.0/instances/c1/state", "{\"action\":\"stop\",\"force\":true}", 0);
	expands(t, "PUT /1.0/instances/c1/state", "{\"action\":\"start\"}", 1);
	expands(t, "PUT /1.0/instances/c1/state", "{\"action\":\"stop\",\"force\":true}", 0);
	expands(t, "DELETE /1.0/instances/c1", NULL, 1);
	assert_int_equal(store_count(t->w.store, ENT_INSTANCE, NULL), 0);
}

/* Undoing is a part of the request, too. */
static void of_one_that_is_moved(void **state)
{
	struct api_world *t = *state;

	world_calm(&t->w);
	world_put(&t->w, ENT_MEMBER, "m2",
		  json_pack("{s:s, s:s, s:s}", "name", "m2", "uuid", "m2", "address",
			    "127.0.0.1:1"));
	expands(t, "POST /1.0/instances", "{\"name\":\"c2\",\"source\":{\"type\":\"none\"}}", 1);
	expands(t, "POST /1.0/instances/c2", "{\"name\":\"c3\"}", 1);
	begin(t);
	api_expect(t, "POST /1.0/instances/c3?target=m2", "{\"name\":\"c4\",\"migration\":true}",
		   202);
	api_await_failure(t, "m2");
	assert_count(t, "a move", 1);
	expands(t, "DELETE /1.0/instances/c3", NULL, 1);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(of_one_that_runs),
						   cmocka_unit_test(of_one_that_is_moved) };

	return container_world_main(argc, argv, tests, open_world, close_world);
}
