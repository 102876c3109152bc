/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a container's root; what drivers mount there is tested in test_drivers.c. */
#include "tests/unit/node/child.h"

#include "node/storage/rootfs.h"
#include "tests/unit/node/storage/storage_world.h"

struct place {
	struct world *w;
	char *lxcpath, *root;
	json_t *spec;
};

static void begin(struct place *p, void **state, const char *driver)
{
	_free_ char *own = NULL, *data = NULL, *volume = NULL;
	struct err err = { 0 };

	*p = (struct place){ .w = *state };
	p->lxcpath = path_in(p->w, "containers");
	p->root = rootfs_mountpoint(p->lxcpath, "c1");
	own = path_in(p->w, "containers/c1");
	volume = path_in(p->w, "volume");
	data = path_in(p->w, "volume/rootfs");
	check_ok(io_mkdirs(own, 0711, &err), &err);
	check_ok(io_mkdirs(data, 0755, &err), &err);
	put_file(data, "inside", "text", 0644);
	p->spec = json_pack("{ss,sb,s{ss,ss}}", "name", "c1", "privileged", 1, "rootfs", "driver",
			    driver, "volume", volume);
}

static void end(struct place *p)
{
	free(p->lxcpath);
	free(p->root);
	json_decref(p->spec);
}

static void names(void **state)
{
	_free_ char *root = rootfs_mountpoint("/var/lib/dunlin/containers", "c1");

	assert_string_equal(root, "/var/lib/dunlin/containers/c1/stage/rootfs");
}

/* Who starts it sees the root; the working directory holds nothing of it. */
static bool shows_the_root(void *arg, struct err *err)
{
	const struct place *p = arg;
	_free_ char *inside = xasprintf("%s/inside", p->root);
	_free_ char *stage = path_in(p->w, "containers/c1/stage");
	char cwd[64];
	struct stat st;

	return rootfs_private_ns(err) == 0 && rootfs_assemble(p->spec, p->root, err) == 0 &&
	       io_exists(inside) && stat(stage, &st) == 0 && (st.st_mode & 07777) == 0711 &&
	       str_eq(getcwd(cwd, sizeof(cwd)), "/");
}

static void stays_in_its_namespace(void **state)
{
	struct place p;
	_free_ char *inside = NULL;

	begin(&p, state, "dir");
	inside = xasprintf("%s/inside", p.root);
	assert_true(in_child(shows_the_root, &p));
	assert_false(io_exists(inside));           /* not in ours */
	assert_true(in_child(shows_the_root, &p)); /* and it can be done again */
	end(&p);
}

static bool names_the_driver(void *arg, struct err *err)
{
	const struct place *p = arg;

	return rootfs_private_ns(err) == 0 && rootfs_assemble(p->spec, p->root, err) < 0 &&
	       err->kind == ERR_INVALID && strstr(err->msg, "root file system of c1") &&
	       strstr(err->msg, "\"zfs\"");
}

static void unknown_driver(void **state)
{
	struct place p;

	begin(&p, state, "zfs");
	assert_true(in_child(names_the_driver, &p));
	end(&p);
}

static bool names_the_volume(void *arg, struct err *err)
{
	const struct place *p = arg;

	return rootfs_private_ns(err) == 0 && rootfs_assemble(p->spec, p->root, err) < 0 &&
	       err->kind == ERR_NOT_FOUND && strstr(err->msg, "/volume/rootfs");
}

static void volume_is_gone(void **state)
{
	struct place p;
	_free_ char *volume = NULL;
	struct err err = { 0 };

	begin(&p, state, "dir");
	volume = path_in(p.w, "volume");
	check_ok(io_remove_tree(volume, &err), &err);
	assert_true(in_child(names_the_volume, &p));
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		cmocka_unit_test(names),
		T(stays_in_its_namespace),
		T(unknown_driver),
		T(volume_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
