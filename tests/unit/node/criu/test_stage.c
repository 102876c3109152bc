/* SPDX-License-Identifier: Apache-2.0 */
/* Images that only root reads, as a container's root finds them at a restore. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "node/criu/criu.h"
#include "tests/unit/node/storage/storage_world.h"

#define BASE 1000000

static json_t *spec_of(bool privileged)
{
	return json_pack("{sb,s{si,si}}", "privileged", privileged, "idmap", "base", BASE, "size",
			 65536);
}

static bool reads(const char *dir, const char *name, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);
	struct err err;
	_free_ char *found = io_read_file(path, 100, NULL, &err);

	return str_eq(found, text);
}

static struct stat look(const char *dir, const char *name)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);
	struct stat st = { 0 };

	stat(path, &st);
	return st;
}

/* In a mount namespace that ends with the process: 0, or the number of what is not so. */
static int stage_and_look(const char *kept, const char *images, bool privileged)
{
	_json_ json_t *spec = spec_of(privileged);
	struct err err;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	if (criu_stage(kept, images, spec, &err) < 0)
		return fprintf(stderr, "%s\n", err.msg), 2;
	if (!reads(images, "pages-1.img", "pages") || !reads(images, "core-1.img", "core"))
		return 3;
	if (look(images, "pages-1.img").st_uid != (privileged ? 0 : BASE) ||
	    (look(images, "pages-1.img").st_mode & 07777) != 0600)
		return 4;
	if ((look(images, "core-1.img").st_mode & 07777) != 0640 ||
	    look(images, "core-1.img").st_gid != BASE)
		return 5;
	put_file(images, "core-1.img", "other", 0640);
	return reads(kept, "core-1.img", "core") && !look(images, "dump.log").st_ino ? 0 : 6;
}

static void are_read_where_they_lie(void **state)
{
	struct world *w = *state;
	_free_ char *kept = path_in(w, "memory");

	assert_int_equal(mkdir(kept, 0700), 0);
	put_file(kept, "pages-1.img", "pages", 0600);
	put_file(kept, "core-1.img", "core", 0600);
	put_file(kept, "dump.log", "words", 0600);
	for (int privileged = 0; privileged < 2; privileged++) {
		_free_ char *images = path_in(w, privileged ? "second" : "first");
		int status = -1;
		pid_t pid;

		assert_int_equal(mkdir(images, 0750), 0);
		assert_int_equal(chown(images, 0, BASE), 0);
		pid = fork();
		if (pid == 0)
			_exit(stage_and_look(kept, images, privileged));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void what_is_not_there_is_named(void **state)
{
	struct world *w = *state;
	_free_ char *none = path_in(w, "none");
	_json_ json_t *spec = spec_of(true);
	struct err err = { 0 };

	assert_int_equal(criu_stage(none, w->dir, spec, &err), -1);
	assert_non_null(strstr(err.msg, none));
	assert_int_equal(criu_stage(w->dir, none, spec, &err), -1);
	assert_non_null(strstr(err.msg, none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(are_read_where_they_lie),
		T(what_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
