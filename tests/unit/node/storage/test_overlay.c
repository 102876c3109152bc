/* SPDX-License-Identifier: Apache-2.0 */
/* What only overlay does; the promises of every driver are in test_drivers.c. */
#include "tests/unit/node/child.h"

#include <sched.h>
#include <sys/mount.h>

#include "node/storage/driver.h"
#include "node/storage/rootfs.h"
#include "node/storage/storage.h"
#include "tests/unit/node/storage/storage_world.h"

struct volume {
	struct world *w;
	json_t *pool, *spec;
	struct err err;
};

static void begin(struct volume *v, void **state)
{
	_free_ char *path = NULL;

	*v = (struct volume){ .w = *state, .pool = pool_of("overlay", NULL) };
	check_ok(pool_create(&v->w->n, v->pool, &v->err), &v->err);
	check_ok(volume_create(&v->w->n, v->pool, "c1", v->w->image, &v->err), &v->err);
	path = volume_path(&v->w->n, v->pool, "c1");
	v->spec = json_pack("{ss,sb,s{ss,ss,ss}}", "name", "c1", "privileged", 1, "rootfs",
			    "driver", "overlay", "volume", path, "image", v->w->image);
}

static void end(struct volume *v)
{
	json_decref(v->pool);
	json_decref(v->spec);
}

static void copies_nothing(void **state)
{
	struct volume v;
	_free_ char *upper = NULL;
	struct stat st;

	begin(&v, state);
	upper = volume_data_path(&v.w->n, v.pool, "c1");
	assert_true(str_ends(upper, "/storage-pools/default/containers/c1/upper"));
	assert_int_equal(count_all(upper), 0);
	assert_int_equal(stat(upper, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751); /* as the image's top */
	end(&v);
}

/* The link that says what a volume stands on may be anybody's work after a move. */
static void reads_the_note(void **state)
{
	static const struct {
		const char *target;
		bool uses;
	} rows[] = {
		{ "/var/lib/dunlin/images/" FP ".root", true },
		{ "/elsewhere/" FP ".root", true },
		{ "/var/lib/dunlin/images/" FP, false },
		{ FP ".root", false },
		{ "/", false },
		{ ".root", false },
	};
	struct volume v;
	_free_ char *note = NULL;

	begin(&v, state);
	note = path_in(v.w, "storage-pools/default/containers/c1/image");
	assert_true(storage_uses_image(&v.w->n, FP));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(unlink(note), 0);
		assert_int_equal(symlink(rows[i].target, note), 0);
		assert_int_equal(storage_uses_image(&v.w->n, FP), rows[i].uses);
	}
	assert_int_equal(unlink(note), 0);
	assert_false(storage_uses_image(&v.w->n, FP));
	end(&v);
}

static char *root_of(struct volume *v)
{
	_free_ char *lxcpath = path_in(v->w, "containers"), *own = path_in(v->w, "containers/c1");

	check_ok(io_mkdirs(own, 0711, &v->err), &v->err);
	return rootfs_mountpoint(lxcpath, "c1");
}

static bool mounts(struct volume *v, const char *root, struct err *err)
{
	return rootfs_private_ns(err) == 0 && rootfs_assemble(v->spec, root, err) == 0;
}

/* Changes a file of the image, which leaves marks of its inodes in the upper layer. */
static bool writes(void *arg, struct err *err)
{
	struct volume *v = arg;
	_free_ char *root = root_of(v), *a = xasprintf("%s/etc/a", root);

	return mounts(v, root, err) && chmod(a, 0600) == 0;
}

static bool shows_change_and_image(void *arg, struct err *err)
{
	struct volume *v = arg;
	_free_ char *root = root_of(v), *a = xasprintf("%s/etc/a", root);
	_free_ char *pipe = xasprintf("%s/etc/pipe", root);
	struct stat st;

	return mounts(v, root, err) && stat(a, &st) == 0 && (st.st_mode & 07777) == 0600 &&
	       stat(pipe, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* An image that was unpacked anew has the same content and other inodes. */
static void survives_another_unpacking(void **state)
{
	struct volume v;
	struct err err = { 0 };

	begin(&v, state);
	assert_true(in_child(writes, &v));
	assert_true(in_child(shows_change_and_image, &v));
	check_ok(io_remove_tree(v.w->image, &err), &err);
	free(v.w->image);
	make_image(v.w);
	assert_true(in_child(shows_change_and_image, &v));
	assert_true(in_child(writes, &v));
	end(&v);
}

static bool is_refused_without_image(void *arg, struct err *err)
{
	struct volume *v = arg;
	_free_ char *root = root_of(v);

	json_object_del(json_obj(v->spec, "rootfs"), "image");
	return !mounts(v, root, err) && err->kind == ERR_INVALID &&
	       strstr(err->msg, "has no image");
}

static bool is_refused_when_gone(void *arg, struct err *err)
{
	struct volume *v = arg;
	_free_ char *root = root_of(v);
	struct err ignored;

	return io_remove_tree(v->w->image, &ignored) == 0 && !mounts(v, root, err) &&
	       err->kind == ERR_NOT_FOUND && strstr(err->msg, v->w->image);
}

static void needs_its_image(void **state)
{
	struct volume v;

	begin(&v, state);
	assert_true(in_child(is_refused_without_image, &v));
	assert_true(in_child(is_refused_when_gone, &v));
	end(&v);
}

/* A pool on an overlay could hold no upper layer. */
static bool is_refused_on_an_overlay(void *arg, struct err *err)
{
	struct volume *v = arg;
	_free_ char *up = path_in(v->w, "up"), *work = path_in(v->w, "work");
	_free_ char *merged = path_in(v->w, "merged"), *opts = NULL;
	_json_ json_t *pool = pool_of("overlay", merged);

	opts = xasprintf("lowerdir=%s,upperdir=%s,workdir=%s", v->w->image, up, work);
	json_put_str(pool, "name", "other");
	if (rootfs_private_ns(err) < 0 || mkdir(up, 0700) < 0 || mkdir(work, 0700) < 0 ||
	    mkdir(merged, 0700) < 0 || mount("test", merged, "overlay", 0, opts) < 0)
		return false;
	{
		_free_ char *etc = path_in(v->w, "merged/etc");
		struct err ignored;

		io_remove_tree(etc, &ignored);
	}
	return pool_create(&v->w->n, pool, err) < 0 && err->kind == ERR_INVALID &&
	       strstr(err->msg, "overlay itself") && count_all(merged) == 0;
}

static void refuses_an_overlay(void **state)
{
	struct volume v;

	begin(&v, state);
	assert_true(in_child(is_refused_on_an_overlay, &v));
	end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(copies_nothing),  T(reads_the_note),     T(survives_another_unpacking),
		T(needs_its_image), T(refuses_an_overlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
