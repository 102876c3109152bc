/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/node/child.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/host/reach.h"
#include "tests/unit/base/patience.h"

#define OWN_LINK "/sys/class/net/own0"

struct place {
	char top[64];
	char *dir; /* TOP/closed/state */
};

static bool own_mounts(struct err *err)
{
	if (unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return true;
	err_sys(err, "make a namespace");
	return false;
}

static mode_t mode_of(const char *path)
{
	struct stat st = { 0 };

	stat(path, &st);
	return st.st_mode & 07777;
}

static bool has_text(const char *folder, const char *name, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", folder, name);
	struct err err;
	_free_ char *found = io_read_file(path, 4096, NULL, &err);

	return str_eq(found, text);
}

/* The way is open, what was inside is there with its mounts, and the neighbours are hidden. */
static bool opens(void *arg, struct err *err)
{
	const struct place *p = arg;
	_free_ char *closed = xasprintf("%s/closed", p->top), *inner = xasprintf("%s/mnt", p->dir);
	_free_ char *secret = xasprintf("%s/secret", closed);

	if (!own_mounts(err) || mount("test", inner, "tmpfs", 0, "size=64k") < 0)
		return false;
	if (mode_of(closed) != 0700 || reach_open_parents(p->dir, err) < 0)
		return false;
	return (mode_of(closed) & S_IXOTH) && has_text(p->dir, "note", "mine") &&
	       io_exists(inner) && mode_of(inner) == 01777 && !io_exists(secret);
}

static bool leaves_open_ones(void *arg, struct err *err)
{
	const struct place *p = arg;
	_free_ char *closed = xasprintf("%s/closed", p->top);
	_free_ char *secret = xasprintf("%s/secret", closed);

	return own_mounts(err) && chmod(closed, 0711) == 0 &&
	       reach_open_parents(p->dir, err) == 0 && io_exists(secret) &&
	       has_text(p->dir, "note", "mine");
}

static void open_parents(void **state)
{
	struct place p = { .top = "/tmp/dunlin-test-reach-XXXXXX" };
	_free_ char *note = NULL, *closed = NULL, *secret = NULL, *inner = NULL;
	struct err err = { 0 };

	assert_non_null(mkdtemp(p.top));
	assert_int_equal(chmod(p.top, 0755), 0);
	closed = xasprintf("%s/closed", p.top);
	p.dir = xasprintf("%s/state", closed);
	note = xasprintf("%s/note", p.dir);
	inner = xasprintf("%s/mnt", p.dir);
	secret = xasprintf("%s/secret", closed);
	assert_int_equal(io_mkdirs(inner, 0755, &err), 0);
	assert_int_equal(io_write_file(note, "mine", 4, 0600, &err), 0);
	assert_int_equal(io_write_file(secret, "x", 1, 0600, &err), 0);
	assert_int_equal(chmod(closed, 0700), 0);
	assert_true(in_child(opens, &p));
	assert_int_equal(mode_of(closed), 0700); /* nobody else sees it */
	assert_true(in_child(leaves_open_ones, &p));
	assert_int_equal(io_remove_tree(p.top, &err), 0);
	free(p.dir);
}

/* /sys shows the links of the namespace of who mounted it; the cgroups below it stay. */
static bool sees_own_links(void *arg, struct err *err)
{
	static const char *const add_link[] = {
		"ip", "link", "add", "own0", "type", "veth", NULL,
	};
	struct stat before, after;

	if (stat("/sys/fs/cgroup", &before) < 0 || !own_mounts(err) || unshare(CLONE_NEWNET) < 0 ||
	    proc_run(add_link, NULL, PATIENCE, err) < 0 || io_exists(OWN_LINK))
		return false;
	return reach_see_link("own0", err) == 0 && io_exists(OWN_LINK) &&
	       stat("/sys/fs/cgroup", &after) == 0 && after.st_dev == before.st_dev &&
	       after.st_ino == before.st_ino;
}

static bool has_no_need(void *arg, struct err *err)
{
	return own_mounts(err) && reach_see_link("lo", err) == 0;
}

static void see_link(void **state)
{
	assert_true(in_child(sees_own_links, NULL));
	assert_true(in_child(has_no_need, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_parents),
		cmocka_unit_test(see_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
