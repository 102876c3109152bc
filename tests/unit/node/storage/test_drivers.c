/* SPDX-License-Identifier: Apache-2.0 */
/* What every row of driver.def promises: a new driver is tested by being there. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "node/image/image.h"
#include "node/storage/rootfs.h"
#include "node/storage/storage.h"
#include "tests/unit/node/storage/storage_world.h"

#define IDMAP_BASE 1000000
#define MANY_FILES 300 /* in the image, so that a copy takes a while */
#define KILLS 12

struct under_test {
	struct world *w;
	json_t *pool;
	struct err err;
};

static void begin(struct under_test *t, void **state, const char *driver)
{
	*t = (struct under_test){ .w = *state, .pool = pool_of(driver, NULL) };
	check_ok(pool_create(&t->w->n, t->pool, &t->err), &t->err);
	check_ok(pool_create(&t->w->n, t->pool, &t->err), &t->err);
}

/* Nothing of the pool is left. */
static void end(struct under_test *t)
{
	_free_ char *pools = path_in(t->w, "storage-pools");

	check_ok(pool_delete(&t->w->n, "default", &t->err), &t->err);
	check_ok(pool_delete(&t->w->n, "default", &t->err), &t->err);
	assert_int_equal(count_all(pools), 0);
	json_decref(t->pool);
}

static void create(struct under_test *t, const char *volume, const char *image_root)
{
	check_ok(volume_create(&t->w->n, t->pool, volume, image_root, &t->err), &t->err);
}

static void delete (struct under_test *t, const char *volume)
{
	check_ok(volume_delete(&t->w->n, t->pool, volume, &t->err), &t->err);
}

static json_t *spec_of(struct under_test *t, const char *volume, bool privileged)
{
	_free_ char *path = volume_path(&t->w->n, t->pool, volume);

	return json_pack("{ss,sb,s{si,si},s{ss,ss,ss}}", "name", volume, "privileged", privileged,
			 "idmap", "base", IDMAP_BASE, "size", 65536, "rootfs", "driver",
			 json_str(t->pool, "driver", ""), "volume", path, "image", t->w->image);
}

/* Whether fn says so of the container's root, mounted as a helper does. */
static bool inside(struct under_test *t, const char *volume, bool privileged,
		   bool (*fn)(const char *root))
{
	_json_ json_t *spec = spec_of(t, volume, privileged);
	_free_ char *lxcpath = path_in(t->w, "containers");
	_free_ char *own = xasprintf("%s/%s", lxcpath, volume);
	_free_ char *root = rootfs_mountpoint(lxcpath, volume);
	int status = 0;
	pid_t pid;

	check_ok(io_mkdirs(own, 0711, &t->err), &t->err);
	pid = fork();
	if (pid == 0) {
		if (rootfs_private_ns(&t->err) == 0 && rootfs_assemble(spec, root, &t->err) == 0)
			_exit(fn(root) ? 0 : 1);
		fprintf(stderr, "%s\n", t->err.msg);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static struct stat stat_below(const char *root, const char *path)
{
	_free_ char *at = xasprintf("%s/%s", root, path);
	struct stat st = { 0 };

	lstat(at, &st);
	return st;
}

static bool is_image_from(const char *root, uid_t base)
{
	struct stat a = stat_below(root, "etc/a"), top = stat_below(root, ".");
	struct stat link = stat_below(root, "etc/link"), sparse = stat_below(root, "etc/sparse");

	return a.st_uid == base + 7 && a.st_gid == base + 8 && (a.st_mode & 07777) == 04755 &&
	       a.st_nlink == 2 && (top.st_mode & 07777) == 0751 && S_ISLNK(link.st_mode) &&
	       sparse.st_size == 16 << 20 && sparse.st_blocks * 512 < 1 << 20;
}

static bool is_image(const char *root)
{
	return is_image_from(root, 0);
}

static bool is_shifted_image(const char *root)
{
	return is_image_from(root, IDMAP_BASE);
}

static bool changes(const char *root)
{
	_free_ char *made = xasprintf("%s/made", root), *gone = xasprintf("%s/etc/link", root);
	struct err err;

	return io_write_file(made, "text", 4, 0644, &err) == 0 && unlink(gone) == 0;
}

static bool is_changed(const char *root)
{
	return stat_below(root, "made").st_size == 4 && stat_below(root, "etc/link").st_ino == 0 &&
	       stat_below(root, "etc/a").st_size == 7;
}

static bool has_only_made(const char *root)
{
	return stat_below(root, "made").st_size == 4 && stat_below(root, "etc").st_ino == 0;
}

static bool is_empty(const char *root)
{
	return count_all(root) == 0;
}

/* --- the promises --------------------------------------------------------------------------- */

static void is_made_from_an_image(void **state, const char *driver)
{
	struct under_test t;

	begin(&t, state, driver);
	create(&t, "c1", t.w->image);
	assert_true(inside(&t, "c1", true, is_image));
	assert_true(inside(&t, "c1", false, is_shifted_image));
	assert_int_equal(volume_create(&t.w->n, t.pool, "c1", NULL, &t.err), -1);
	assert_int_equal(t.err.kind, ERR_CONFLICT);
	assert_non_null(strstr(t.err.msg, "\"c1\" exists"));
	assert_true(inside(&t, "c1", true, is_image));
	delete (&t, "c1");
	delete (&t, "c1");
	end(&t);
}

/* What a move fills: only the container's own data goes into it. */
static void is_made_empty(void **state, const char *driver)
{
	struct under_test t;
	_free_ char *data = NULL;

	begin(&t, state, driver);
	create(&t, "c1", NULL);
	data = volume_data_path(&t.w->n, t.pool, "c1");
	assert_true(is_empty(data));
	put_file(data, "made", "text", 0644);
	if (!pool_stands_on_images(t.pool))
		assert_true(inside(&t, "c1", true, has_only_made));
	delete (&t, "c1");
	end(&t);
}

static void keeps_what_a_container_does(void **state, const char *driver)
{
	struct under_test t;
	_free_ char *data = NULL;

	begin(&t, state, driver);
	create(&t, "c1", t.w->image);
	create(&t, "c2", t.w->image);
	assert_true(inside(&t, "c1", true, changes));
	assert_true(inside(&t, "c1", true, is_changed));
	assert_true(inside(&t, "c2", true, is_image)); /* nobody else's */
	check_copy(t.w->image);
	data = volume_data_path(&t.w->n, t.pool, "c1");
	assert_int_equal(stat_below(data, "made").st_size, 4);
	delete (&t, "c1");
	delete (&t, "c2");
	end(&t);
}

static void is_renamed(void **state, const char *driver)
{
	struct under_test t;
	_free_ char *old = NULL;

	begin(&t, state, driver);
	create(&t, "c1", t.w->image);
	create(&t, "c2", t.w->image);
	assert_true(inside(&t, "c1", true, changes));
	assert_int_equal(volume_rename(&t.w->n, t.pool, "c1", "c2", &t.err), -1);
	assert_int_equal(t.err.kind, ERR_CONFLICT);
	assert_true(inside(&t, "c2", true, is_image));
	check_ok(volume_rename(&t.w->n, t.pool, "c1", "c3", &t.err), &t.err);
	assert_true(inside(&t, "c3", true, is_changed));
	old = volume_path(&t.w->n, t.pool, "c1");
	assert_false(io_exists(old));
	assert_int_equal(volume_rename(&t.w->n, t.pool, "c1", "c4", &t.err), -1);
	assert_int_equal(t.err.kind, ERR_NOT_FOUND);
	delete (&t, "c2");
	delete (&t, "c3");
	end(&t);
}

static void is_counted(void **state, const char *driver)
{
	struct under_test t;
	_free_ char *data = NULL, *text = xcalloc(1, (1 << 20) + 1);
	_json_ json_t *usage = NULL;
	int64_t before, after;

	memset(text, 'x', 1 << 20);
	begin(&t, state, driver);
	create(&t, "c1", t.w->image);
	before = volume_usage(&t.w->n, t.pool, "c1", 0);
	assert_true(before >= 0);
	data = volume_data_path(&t.w->n, t.pool, "c1");
	put_file(data, "big", text, 0600);
	after = volume_usage(&t.w->n, t.pool, "c1", 0);
	assert_in_range(after - before, 1 << 20, 2 << 20);
	assert_int_equal(volume_usage(&t.w->n, t.pool, "none", 0), -1);
	usage = pool_usage(&t.w->n, t.pool, &t.err);
	assert_true(json_int(json_obj(usage, "space"), "total", 0) >=
		    json_int(json_obj(usage, "space"), "used", 0));
	assert_true(json_int(json_obj(usage, "space"), "used", 0) > 0);
	delete (&t, "c1");
	end(&t);
}

static void is_listed(void **state, const char *driver)
{
	struct under_test t;
	_json_ json_t *list = NULL;
	_json_ json_t *none = NULL;

	begin(&t, state, driver);
	none = volume_list(&t.w->n, t.pool);
	assert_int_equal(json_array_size(none), 0);
	create(&t, "c1", t.w->image);
	create(&t, "other~c1", NULL);
	list = volume_list(&t.w->n, t.pool);
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(pool_delete(&t.w->n, "default", &t.err), -1);
	assert_int_equal(t.err.kind, ERR_CONFLICT);
	assert_non_null(strstr(t.err.msg, "2 volumes"));
	delete (&t, "c1");
	delete (&t, "other~c1");
	end(&t);
}

/* An image stays for as long as a volume needs it, and no longer. */
static void holds_its_image(void **state, const char *driver)
{
	struct under_test t;

	begin(&t, state, driver);
	create(&t, "c1", t.w->image);
	create(&t, "c2", t.w->image);
	assert_int_equal(storage_uses_image(&t.w->n, FP), pool_stands_on_images(t.pool));
	check_ok(storage_delete_image(&t.w->n, FP, &t.err), &t.err);
	assert_int_equal(io_exists(t.w->image), pool_stands_on_images(t.pool));
	assert_true(inside(&t, "c1", true, is_image));
	delete (&t, "c1");
	assert_true(inside(&t, "c2", true, is_image));
	delete (&t, "c2");
	assert_false(io_exists(t.w->image));
	assert_false(image_present(&t.w->n, FP));
	end(&t);
}

/* --- snapshots ------------------------------------------------------------------------------ */

static int snapshot(struct under_test *t, const char *volume, const char *id)
{
	if (volume_snapshot(&t->w->n, t->pool, volume, id, &t->err) < 0)
		return -1;
	return volume_snapshot_keep(&t->w->n, t->pool, volume, id, &t->err);
}

static int restore(struct under_test *t, const char *volume, const char *id)
{
	if (volume_restore_prepare(&t->w->n, t->pool, volume, id, &t->err) < 0)
		return -1;
	return volume_restore(&t->w->n, t->pool, volume, &t->err);
}

static bool spoils(const char *root)
{
	_free_ char *made = xasprintf("%s/made", root), *later = xasprintf("%s/later", root);
	_free_ char *etc = xasprintf("%s/etc", root);
	struct err err;

	return io_remove_tree(etc, &err) == 0 && unlink(made) == 0 && mkdir(later, 0700) == 0;
}

static bool is_spoilt(const char *root)
{
	return stat_below(root, "etc").st_ino == 0 && stat_below(root, "later").st_ino != 0;
}

static void goes_back(void **state, const char *driver)
{
	struct under_test t;

	begin(&t, state, driver);
	create(&t, "c1", t.w->image);
	check_ok(snapshot(&t, "c1", "new"), &t.err);
	assert_true(inside(&t, "c1", true, changes));
	check_ok(snapshot(&t, "c1", "changed"), &t.err);
	assert_int_equal(snapshot(&t, "c1", "changed"), -1);
	assert_int_equal(t.err.kind, ERR_CONFLICT);
	assert_true(inside(&t, "c1", true, spoils));
	check_ok(volume_rename(&t.w->n, t.pool, "c1", "c2", &t.err), &t.err);
	for (int i = 0; i < 2; i++) {
		check_ok(restore(&t, "c2", "changed"), &t.err);
		assert_true(inside(&t, "c2", true, is_changed));
		assert_true(inside(&t, "c2", true, spoils));
		assert_true(inside(&t, "c2", true, is_spoilt));
	}
	check_ok(restore(&t, "c2", "new"), &t.err);
	assert_true(inside(&t, "c2", true, is_image));
	assert_true(inside(&t, "c2", false, is_shifted_image));
	/* What is done is not done again. */
	check_ok(volume_restore(&t.w->n, t.pool, "c2", &t.err), &t.err);
	assert_true(inside(&t, "c2", true, is_image));
	for (int i = 0; i < 2; i++)
		check_ok(volume_snapshot_delete(&t.w->n, t.pool, "c2", "new", &t.err), &t.err);
	assert_int_equal(restore(&t, "c2", "new"), -1);
	assert_true(inside(&t, "c2", true, is_image));
	check_ok(restore(&t, "c2", "changed"), &t.err);
	assert_true(inside(&t, "c2", true, is_changed));
	delete (&t, "c2");
	create(&t, "c2", t.w->image);
	assert_int_equal(restore(&t, "c2", "changed"), -1);
	delete (&t, "c2");
	end(&t);
}

/* Neither a half-made snapshot nor what was ready for a restore counts. */
static void gives_up_half_of_it(void **state, const char *driver)
{
	struct under_test t;
	_free_ char *path = NULL;
	int entries;

	begin(&t, state, driver);
	create(&t, "c1", t.w->image);
	path = volume_path(&t.w->n, t.pool, "c1");
	entries = count_all(path);
	check_ok(snapshot(&t, "c1", "new"), &t.err);
	assert_true(inside(&t, "c1", true, changes));
	check_ok(volume_snapshot(&t.w->n, t.pool, "c1", "half", &t.err), &t.err);
	check_ok(storage_recover(&t.w->n, &t.err), &t.err);
	assert_int_equal(volume_snapshot_keep(&t.w->n, t.pool, "c1", "half", &t.err), -1);
	check_ok(volume_snapshot(&t.w->n, t.pool, "c1", "half", &t.err), &t.err);
	check_ok(volume_snapshot_delete(&t.w->n, t.pool, "c1", "half", &t.err), &t.err);
	check_ok(volume_restore_prepare(&t.w->n, t.pool, "c1", "new", &t.err), &t.err);
	check_ok(volume_restore_drop(&t.w->n, t.pool, "c1", &t.err), &t.err);
	check_ok(volume_restore(&t.w->n, t.pool, "c1", &t.err), &t.err);
	assert_true(inside(&t, "c1", true, is_changed));
	check_ok(volume_restore_prepare(&t.w->n, t.pool, "c1", "new", &t.err), &t.err);
	check_ok(storage_recover(&t.w->n, &t.err), &t.err);
	check_ok(volume_restore(&t.w->n, t.pool, "c1", &t.err), &t.err);
	assert_true(inside(&t, "c1", true, is_image));
	check_ok(volume_snapshot_delete(&t.w->n, t.pool, "c1", "new", &t.err), &t.err);
	assert_int_equal(count_all(path), entries);
	delete (&t, "c1");
	end(&t);
}

/* --- a daemon that dies --------------------------------------------------------------------- */

static void make_and_delete(struct under_test *t, int tell)
{
	for (;;) {
		if (write(tell, "m", 1) != 1 ||
		    volume_create(&t->w->n, t->pool, "c1", t->w->image, &t->err) < 0 ||
		    write(tell, "d", 1) != 1 || volume_delete(&t->w->n, t->pool, "c1", &t->err) < 0)
			_exit(1);
	}
}

/* In the nth of its steps, that is. */
static void kill_in_step(struct under_test *t, int nth)
{
	int fds[2], status;
	char step;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		make_and_delete(t, fds[1]);
	}
	close(fds[1]);
	for (int i = 0; i < nth; i++)
		assert_int_equal(read(fds[0], &step, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(fds[0]);
}

static void survives_kills(void **state, const char *driver)
{
	struct under_test t;
	struct world *w = *state;
	_free_ char *many = xasprintf("%s/many", w->image);

	assert_int_equal(mkdir(many, 0755), 0);
	for (int i = 0; i < MANY_FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		put_file(many, name, "text", 0644);
	}
	begin(&t, state, driver);
	for (int nth = 1; nth <= KILLS; nth++) {
		_json_ json_t *list = NULL;

		kill_in_step(&t, nth);
		check_ok(storage_recover(&w->n, &t.err), &t.err);
		list = volume_list(&w->n, t.pool);
		assert_in_range(json_array_size(list), 0, 1);
		if (json_array_size(list))
			assert_true(inside(&t, "c1", true, is_image));
		delete (&t, "c1");
	}
	end(&t);
}

/* --- all of them for each row ---------------------------------------------------------------- */

static const struct {
	const char *what;
	void (*test)(void **state, const char *driver);
} promises[] = {
	{ "is made from an image", is_made_from_an_image },
	{ "is made empty", is_made_empty },
	{ "keeps what a container does", keeps_what_a_container_does },
	{ "is renamed", is_renamed },
	{ "is counted", is_counted },
	{ "is listed", is_listed },
	{ "holds its image", holds_its_image },
	{ "goes back to its snapshots", goes_back },
	{ "gives up half of a snapshot", gives_up_half_of_it },
	{ "survives kills", survives_kills },
};

static const char *const drivers[] = {
#define DRIVER(name, version, doc) #name,
#define KEY(...)
#define REFUSED(...)
#include "node/storage/driver.def"
#undef REFUSED
#undef KEY
#undef DRIVER
};

struct row {
	size_t driver, promise;
};

static int world_of_row(void **state)
{
	const struct row *row = *state;
	int rc = set_up(state);

	((struct world *)*state)->row = row;
	return rc;
}

static void keeps_promise(void **state)
{
	const struct row *row = ((struct world *)*state)->row;

	promises[row->promise].test(state, drivers[row->driver]);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(drivers) * ARRAY_SIZE(promises)];
	char names[ARRAY_SIZE(tests)][64];
	struct row rows[ARRAY_SIZE(tests)];

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		rows[i] = (struct row){ i / ARRAY_SIZE(promises), i % ARRAY_SIZE(promises) };
		snprintf(names[i], sizeof(names[i]), "a volume of %s %s", drivers[rows[i].driver],
			 promises[rows[i].promise].what);
		tests[i] = (struct CMUnitTest){ names[i], keeps_promise, world_of_row, tear_down,
						&rows[i] };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
