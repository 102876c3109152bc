/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c with a driver of the test's own, which can fail. */
#include "base/clock.h"
#include "node/storage/folder.h"
#include "node/storage/mark.h"
#include "tests/unit/node/storage/storage_world.h"

/* What the driver was asked, a letter each; one that is in `fails` fails. */
static char asked[32];
static const char *fails;

static int ask(char what, struct err *err)
{
	asked[strlen(asked)] = what;
	return strchr(fails, what) ? err_set(err, ERR_NO_SPACE, "the test fails %c", what) : 0;
}

static int check(const char *pool_folder, struct err *err)
{
	return ask('c', err);
}

static int make(const char *volume, const char *image_root, struct err *err)
{
	return folder_make(volume, err) < 0 ? -1 : ask(image_root ? 'i' : 'e', err);
}

static int drop(const char *volume, struct err *err)
{
	return ask('d', err) < 0 ? -1 : io_remove_tree(volume, err);
}

static const struct folder_ops folder = {
	.data = "data", .check = check, .make = make, .drop = drop
};
static const struct storage_ops ops = { FOLDER_DRIVER(&folder) };
static const struct storage_driver driver = { .name = "test", .ops = &ops };

struct pool_world {
	struct world *w;
	struct storage_pool p;
	struct err err;
	char *volumes;
};

static void begin(struct pool_world *t, void **state, const char *source)
{
	_free_ char *pools = NULL;

	*t = (struct pool_world){ .w = *state };
	pools = path_in(t->w, "storage-pools");
	t->p = (struct storage_pool){ .node = &t->w->n, .driver = &driver, .name = "p" };
	t->p.here = path_in(t->w, "storage-pools/p");
	t->p.source = source ? path_in(t->w, source) : xstrdup(t->p.here);
	t->volumes = xasprintf("%s/containers", t->p.source);
	check_ok(io_mkdirs(pools, 0700, &t->err), &t->err);
	if (source)
		check_ok(io_mkdirs(t->p.source, 0700, &t->err), &t->err);
	memset(asked, 0, sizeof(asked));
	fails = "";
}

static void end(struct pool_world *t)
{
	free(t->p.here);
	free(t->p.source);
	free(t->volumes);
}

static void expect_refusal(struct pool_world *t, int rc, enum err_kind kind, const char *says)
{
	assert_int_equal(rc, -1);
	assert_int_equal(t->err.kind, kind);
	if (!strstr(t->err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", t->err.msg, says);
}

static void pool_of_its_own(void **state)
{
	struct pool_world t;

	begin(&t, state, NULL);
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	assert_string_equal(asked, "cc");
	assert_true(pool_mark_is_ours(&t.p, t.p.here));
	check_ok(folder_pool_delete(&t.p, &t.err), &t.err);
	assert_int_equal(count_all(t.p.here), 0);
	check_ok(folder_pool_delete(&t.p, &t.err), &t.err);
	end(&t);
}

static void pool_elsewhere(void **state)
{
	struct pool_world t;
	char target[128] = "";

	begin(&t, state, "place");
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	assert_true(readlink(t.p.here, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, t.p.source);
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	put_file(t.p.source, "precious", "mine", 0600); /* what others put there later stays */
	check_ok(folder_pool_delete(&t.p, &t.err), &t.err);
	assert_int_equal(count_all(t.p.source), 1);
	end(&t);
}

/* A pool whose driver does not like the place leaves nothing by which it would be found. */
static void pool_that_cannot_be(void **state)
{
	static const char *const sources[] = { NULL, "place" };

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		struct pool_world t;

		begin(&t, state, sources[i]);
		fails = "c";
		expect_refusal(&t, folder_pool_create(&t.p, &t.err), ERR_NO_SPACE, "fails c");
		assert_false(io_exists(t.p.here));
		assert_false(io_exists(t.volumes));
		fails = "";
		check_ok(folder_pool_create(&t.p, &t.err), &t.err);
		check_ok(folder_pool_delete(&t.p, &t.err), &t.err);
		assert_int_equal(remove(t.p.here), 0);
		end(&t);
	}
}

static void places_of_others(void **state)
{
	struct pool_world t;
	_free_ char *file = NULL, *way = NULL;

	begin(&t, state, "place");
	file = path_in(t.w, "images/" FP);
	way = path_in(t.w, "way");
	put_file(t.p.source, "precious", "mine", 0600);
	expect_refusal(&t, folder_pool_create(&t.p, &t.err), ERR_CONFLICT, "not empty");
	assert_int_equal(count_all(t.p.source), 1);
	assert_int_equal(symlink(t.p.source, way), 0);
	free(t.p.source);
	t.p.source = xstrdup(way);
	expect_refusal(&t, folder_pool_create(&t.p, &t.err), ERR_INVALID, "no directory");
	free(t.p.source);
	t.p.source = xstrdup(file);
	expect_refusal(&t, folder_pool_create(&t.p, &t.err), ERR_INVALID, "no directory");
	free(t.p.source);
	t.p.source = xstrdup("/tmp/../etc");
	expect_refusal(&t, folder_pool_create(&t.p, &t.err), ERR_INVALID, "absolute");
	free(t.p.source);
	t.p.source = xstrdup("some/where");
	expect_refusal(&t, folder_pool_create(&t.p, &t.err), ERR_INVALID, "absolute");
	free(t.p.source);
	t.p.source = xstrdup("/nowhere/at/all");
	expect_refusal(&t, folder_pool_create(&t.p, &t.err), ERR_INVALID, "does not exist");
	assert_false(io_exists(t.p.here));
	end(&t);
}

/* What is new in a file system, and a mark that was cut off while it was written. */
static void places_as_good_as_empty(void **state)
{
	struct pool_world t;
	_free_ char *lost = NULL;

	begin(&t, state, "place");
	lost = path_in(t.w, "place/lost+found");
	assert_int_equal(mkdir(lost, 0700), 0);
	put_file(t.p.source, POOL_MARK ".a1b2c3", "half", 0600);
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	end(&t);
}

static void volume_that_fails(void **state)
{
	struct pool_world t;

	begin(&t, state, NULL);
	expect_refusal(&t, folder_create(&t.p, "c1", NULL, &t.err), ERR_NOT_FOUND,
		       "does not exist on this member");
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	memset(asked, 0, sizeof(asked));
	fails = "i";
	expect_refusal(&t, folder_create(&t.p, "c1", t.w->image, &t.err), ERR_NO_SPACE, "fails i");
	assert_string_equal(asked, "id"); /* dropped what was there of it */
	assert_int_equal(count_all(t.volumes), 0);
	end(&t);
}

/* What cannot be dropped now is out of the way, and goes with the next start. */
static void removal_that_fails(void **state)
{
	struct pool_world t;
	_json_ json_t *list = NULL;

	begin(&t, state, NULL);
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	check_ok(folder_create(&t.p, "c1", NULL, &t.err), &t.err);
	fails = "d";
	expect_refusal(&t, folder_remove(&t.p, "c1", &t.err), ERR_NO_SPACE, "\"c1\"");
	list = folder_list(&t.p);
	assert_int_equal(json_array_size(list), 0);
	assert_int_equal(count_all(t.volumes), 1);
	expect_refusal(&t, folder_recover(&t.p, &t.err), ERR_NO_SPACE, "fails d");
	fails = "";
	check_ok(folder_create(&t.p, "c1", NULL, &t.err), &t.err);
	check_ok(folder_recover(&t.p, &t.err), &t.err);
	assert_int_equal(count_all(t.volumes), 1);
	end(&t);
}

static void leftovers(void **state)
{
	static const char *const left[] = { ".tmp-c2-0011", ".deleted-c3-0011" };
	struct pool_world t;

	begin(&t, state, "place");
	check_ok(folder_recover(&t.p, &t.err), &t.err); /* of a pool that is not made yet */
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	check_ok(folder_create(&t.p, "c1", NULL, &t.err), &t.err);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		_free_ char *path = xasprintf("%s/%s/data", t.volumes, left[i]);

		check_ok(io_mkdirs(path, 0700, &t.err), &t.err);
	}
	check_ok(folder_recover(&t.p, &t.err), &t.err);
	assert_int_equal(count_all(t.volumes), 1);
	end(&t);
}

/* Each name of a hard-linked file carries its share; a walk that goes too deep ends. */
static void usage(void **state)
{
	struct pool_world t;
	_free_ char *data = NULL, *big = NULL, *again = NULL, *outside = NULL, *at = NULL;
	_free_ char *text = xcalloc(1, (1 << 20) + 1);

	memset(text, 'x', 1 << 20);
	begin(&t, state, NULL);
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	check_ok(folder_create(&t.p, "c1", NULL, &t.err), &t.err);
	data = folder_data_path(&t.p, "c1");
	outside = path_in(t.w, "outside");
	big = xasprintf("%s/big", data);
	again = xasprintf("%s/again", data);
	assert_int_equal(folder_usage(&t.p, "c1", 0), -1);
	assert_int_equal(mkdir(data, 0700), 0);
	assert_int_equal(folder_usage(&t.p, "c1", 0), 0);
	put_file(data, "big", text, 0600);
	assert_in_range(folder_usage(&t.p, "c1", 0), 1 << 20, (1 << 20) + 65536);
	assert_int_equal(link(big, again), 0);
	assert_in_range(folder_usage(&t.p, "c1", 0), 1 << 20, (1 << 20) + 65536);
	assert_int_equal(link(big, outside), 0);
	assert_in_range(folder_usage(&t.p, "c1", 0), 600 << 10, 800 << 10);
	at = xstrdup(data);
	for (int i = 0; i < 110; i++) {
		char *below = xasprintf("%s/d", at);

		free(at);
		at = below;
	}
	check_ok(io_mkdirs(at, 0700, &t.err), &t.err);
	assert_int_equal(folder_usage(&t.p, "c1", 0), -1);
	end(&t);
}

static void usage_in_time(void **state)
{
	struct pool_world t;
	_free_ char *data = NULL;

	begin(&t, state, NULL);
	check_ok(folder_pool_create(&t.p, &t.err), &t.err);
	check_ok(folder_create(&t.p, "c1", NULL, &t.err), &t.err);
	data = folder_data_path(&t.p, "c1");
	assert_int_equal(mkdir(data, 0700), 0);
	for (int i = 0; i < 600; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		put_file(data, name, "", 0600);
	}
	assert_true(folder_usage(&t.p, "c1", deadline_in(60000)) >= 0);
	assert_int_equal(folder_usage(&t.p, "c1", clock_ms() - 1), -1);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(pool_of_its_own),
		T(pool_elsewhere),
		T(pool_that_cannot_be),
		T(places_of_others),
		T(places_as_good_as_empty),
		T(volume_that_fails),
		T(removal_that_fails),
		T(leftovers),
		T(usage),
		T(usage_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
