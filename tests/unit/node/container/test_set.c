/* SPDX-License-Identifier: Apache-2.0 */
/* The records of containers, none of which runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"

struct world {
	struct node n;
	char dir[64];
	int tellings;
	char *told; /* the last one: "NAME FACT" */
};

static void on_change(void *arg, const char *name, const json_t *fact)
{
	struct world *w = arg;
	_free_ char *text = json_text(fact);

	w->tellings++;
	free(w->told);
	w->told = xasprintf("%s %s", name, text);
}

static int set_up(void **state)
{
	struct world *w = xnew(struct world);

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-set-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->n.dir = w->dir;
	w->n.cgroup_name = w->dir; /* of nobody */
	w->n.containers = containers_new();
	w->n.instance_changed = on_change;
	w->n.arg = w;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	containers_free(w->n.containers);
	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	free(w->told);
	free(w);
	return 0;
}

static void makes_one_record_a_name(void **state)
{
	struct world *w = *state;
	struct ct *a, *b, *again;

	assert_null(ct_get(&w->n, "a", false));
	a = ct_get(&w->n, "a", true);
	b = ct_get(&w->n, "b", true);
	again = ct_get(&w->n, "a", false);
	assert_ptr_equal(a, again);
	assert_ptr_not_equal(a, b);
	assert_string_equal(a->name, "a");
	assert_int_equal(ct_status(&w->n, a), STATUS_STOPPED);
	assert_true(a->pid == 0 && a->pidfd == -1 && a->monitorfd == -1);
	assert_int_equal(container_pid(&w->n, "a"), 0);
	assert_int_equal(container_pid(&w->n, "none"), 0);
	ct_put(&w->n, a);
	ct_put(&w->n, again);
	ct_put(&w->n, b);
	ct_put(&w->n, NULL);
	/* The list has a reference of its own. */
	again = ct_get(&w->n, "a", false);
	assert_ptr_equal(a, again);
	ct_put(&w->n, again);
}

/* Who still has the record of one that is gone keeps it; another one bears its name. */
static void forgets(void **state)
{
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true), *b = ct_get(&w->n, "b", true), *other;

	ct_forget(&w->n, a);
	assert_true(a->gone);
	assert_string_equal(a->name, "a");
	assert_null(ct_get(&w->n, "a", false));
	other = ct_get(&w->n, "a", true);
	assert_ptr_not_equal(a, other);
	assert_false(other->gone);
	ct_forget(&w->n, a); /* off the list already */
	assert_ptr_equal(w->n.containers->list, other);
	ct_put(&w->n, a);
	ct_put(&w->n, other);
	ct_put(&w->n, b);
}

static void renames(void **state)
{
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true), *b;

	ct_rename(&w->n, a, "b");
	assert_null(ct_get(&w->n, "a", false));
	b = ct_get(&w->n, "b", false);
	assert_ptr_equal(a, b);
	ct_put(&w->n, a);
	ct_put(&w->n, b);
}

/* The state that was read last is of another status. */
static void status_drops_the_state(void **state)
{
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true);

	a->state = json_object();
	ct_set_status(&w->n, a, STATUS_STARTING);
	assert_null(a->state);
	assert_int_equal(ct_status(&w->n, a), STATUS_STARTING);
	ct_put(&w->n, a);
}

static void spec_outlives_its_record(void **state)
{
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true);
	_json_ json_t *first = NULL, *second = NULL;

	assert_null(ct_spec(&w->n, a));
	ct_set_spec(&w->n, a, json_pack("{si}", "n", 1));
	first = ct_spec(&w->n, a);
	ct_set_spec(&w->n, a, json_pack("{si}", "n", 2));
	second = ct_spec(&w->n, a);
	ct_forget(&w->n, a);
	ct_put(&w->n, a);
	assert_int_equal(json_int(first, "n", 0), 1);
	assert_int_equal(json_int(second, "n", 0), 2);
}

static void reads_specs(void **state)
{
	static const struct {
		const char *text; /* NULL: no file */
		int n;            /* 0: no spec */
	} cases[] = {
		{ NULL, 0 },     { "{\"n\":7}", 7 },      { "", 0 },
		{ "{\"n\":", 0 }, { "{\"n\":7} rest", 0 }, { "\x00\xff", 0 },
	};
	struct world *w = *state;
	_free_ char *folder = ct_dir(&w->n, "c1"), *path = ct_file(&w->n, "c1", "spec.json");
	_free_ char *want = xasprintf("%s/containers/c1/spec.json", w->dir);
	struct err err;

	assert_string_equal(path, want);
	assert_int_equal(io_mkdirs(folder, 0700, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;
		_json_ json_t *spec = NULL;

		if (text)
			assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
		spec = ct_load_spec(&w->n, "c1");
		if (json_int(spec, "n", 0) != cases[i].n || !spec != !cases[i].n)
			fail_msg("%s", text ? text : "none");
	}
}

/* What is written is read again, with nothing left beside it. */
static void writes_specs(void **state)
{
	struct world *w = *state;
	_free_ char *folder = ct_dir(&w->n, "c1"), *tmp = ct_file(&w->n, "c1", "spec.json.new");
	_json_ json_t *spec = json_pack("{ss,s{ss}}", "name", "c1", "config", "user.x", "\xc3\xa4");
	_json_ json_t *back = NULL;
	struct err err;

	assert_int_equal(ct_write_spec(&w->n, "c1", spec, &err), -1); /* no folder */
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(io_mkdirs(folder, 0700, &err), 0);
	assert_int_equal(ct_write_spec(&w->n, "c1", spec, &err), 0);
	back = ct_load_spec(&w->n, "c1");
	assert_true(json_equal(back, spec));
	assert_false(io_exists(tmp));
}

/* --- what is told --------------------------------------------------------------------------- */

static void tells_facts(void **state)
{
	static const struct {
		enum status status;
		const char *told;
	} cases[] = {
		{ STATUS_STOPPED, "{\"status\":\"Stopped\",\"status_code\":102,\"pid\":0}" },
		{ STATUS_STARTING, "{\"status\":\"Starting\",\"status_code\":106,\"pid\":0}" },
		{ STATUS_RUNNING, "{\"status\":\"Running\",\"status_code\":103,\"pid\":0}" },
		{ STATUS_FROZEN, "{\"status\":\"Frozen\",\"status_code\":110,\"pid\":0}" },
		{ STATUS_ERROR, "{\"status\":\"Error\",\"status_code\":112,\"pid\":0}" },
	};
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *fact = NULL;
		_free_ char *text = NULL;

		ct_set_status(&w->n, a, cases[i].status);
		fact = ct_fact(&w->n, a);
		text = json_text(fact);
		assert_string_equal(text, cases[i].told);
	}
	ct_put(&w->n, a);
}

/* One that runs has a beginning and interfaces: here those of the test itself. */
static void tells_of_one_that_runs(void **state)
{
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true);
	_json_ json_t *fact = NULL;

	a->pid = getpid();
	a->started_ns = 1700000000123456789;
	fact = ct_fact(&w->n, a);
	assert_int_equal(json_int(fact, "pid", 0), getpid());
	assert_true(str_starts(json_str(fact, "started_at", ""), "2023-11-14T22:13:20.123456789"));
	assert_non_null(json_obj(json_obj(fact, "network"), "lo"));
	assert_int_equal(container_pid(&w->n, "a"), getpid());
	ct_put(&w->n, a);
}

static void publishes_once(void **state)
{
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true);

	ct_publish(&w->n, a, true);
	assert_int_equal(w->tellings, 1);
	assert_string_equal(w->told, "a {\"status\":\"Stopped\",\"status_code\":102,\"pid\":0}");
	ct_publish(&w->n, a, true);
	assert_int_equal(w->tellings, 1);
	ct_publish(&w->n, a, false); /* whether or not it is new */
	assert_int_equal(w->tellings, 2);
	ct_set_status(&w->n, a, STATUS_STARTING);
	ct_publish(&w->n, a, true);
	assert_int_equal(w->tellings, 3);
	w->n.instance_changed = NULL; /* nobody wants to know */
	ct_publish(&w->n, a, false);
	assert_int_equal(w->tellings, 3);
	ct_put(&w->n, a);
}

static void asks_helpers(void **state)
{
	struct world *w = *state;
	_json_ json_t *request = container_request(&w->n, "c1");
	_json_ json_t *want = NULL;
	_free_ char *lxcpath = xasprintf("%s/containers", w->dir);

	want = json_pack("{ss,ss,ss}", "name", "c1", "lxcpath", lxcpath, "cgroup_name", w->dir);
	assert_true(json_equal(request, want));
}

/* --- LXD's instance state ------------------------------------------------------------------- */

#define NOTHING_USED                                                                         \
	"\"disk\":{},\"memory\":{\"usage\":0,\"usage_peak\":0,\"swap_usage\":0,"             \
	"\"swap_usage_peak\":0},\"network\":null,\"pid\":0,\"processes\":0,\"cpu\":{\"usage\":0}}"

static void shows_what_does_not_run(void **state)
{
	struct world *w = *state;
	_json_ json_t *none = container_state(&w->n, "none");
	_free_ char *text = json_text(none);

	assert_string_equal(text, "{\"status\":\"Stopped\",\"status_code\":102," NOTHING_USED);
	assert_null(ct_get(&w->n, "none", false)); /* asking makes no record */
}

/* Who asks twice in a second gets the same; a change of the status is seen at once. */
static void remembers_a_state(void **state)
{
	struct world *w = *state;
	struct ct *a = ct_get(&w->n, "a", true);
	_json_ json_t *first = container_state(&w->n, "a"), *later = NULL;
	_free_ char *text = NULL;

	assert_non_null(a->state);
	assert_ptr_not_equal(a->state, first); /* a copy, for the caller to change */
	assert_true(json_equal(a->state, first));
	ct_set_status(&w->n, a, STATUS_ERROR);
	later = container_state(&w->n, "a");
	text = json_text(later);
	assert_string_equal(text, "{\"status\":\"Error\",\"status_code\":112," NOTHING_USED);
	/* What is too old is read again. */
	json_put_str(a->state, "status", "stale");
	a->state_ms -= 60000;
	json_decref(later);
	later = container_state(&w->n, "a");
	assert_string_equal(json_str(later, "status", ""), "Error");
	ct_put(&w->n, a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(makes_one_record_a_name), T(forgets),
		T(renames),                 T(status_drops_the_state),
		T(spec_outlives_its_record), T(reads_specs),
		T(writes_specs),            T(tells_facts),
		T(tells_of_one_that_runs),  T(publishes_once),
		T(asks_helpers),            T(shows_what_does_not_run),
		T(remembers_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
