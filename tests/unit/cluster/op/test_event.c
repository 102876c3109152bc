/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/store_world.h"

#include <string.h>

#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/op/event.h"
#include "tests/unit/base/patience.h"

struct world {
	struct store_world w;
	struct events *events;
	struct box box;
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	world_open(&t->w);
	t->events = events_new(t->w.store, world_location, t->w.cluster);
	world_start(&t->w);
	box_init(&t->box);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	world_close(&t->w);
	events_free(t->events);
	free(t);
	return 0;
}

static void deliver(void *arg, const char *text, size_t len)
{
	assert_int_equal(strlen(text), len);
	box_put(arg, text);
}

static struct event_listener *listen(struct world *t, unsigned types, const char *project,
				     struct box *to)
{
	return event_listen(t->events, &(struct event_filter){ types, project }, deliver, to);
}

static json_t *last(struct world *t)
{
	struct err err = { 0 };
	json_t *j = json_parse(t->box.last, strlen(t->box.last), "event", &err);

	assert_non_null(j);
	return j;
}

static void put_operation(struct world *t, const char *status, const char *updated_at)
{
	_json_ json_t *op = json_pack("{s:s, s:s, s:s, s:s}", "id", "op-1", "status", status,
				      "updated_at", updated_at, "location", "none");

	store_fact_put(t->w.store, FACT_OPERATION, "op-1", op);
}

static void test_lifecycle(void **state)
{
	struct world *t = *state;
	struct event_listener *l = listen(t, EV_LIFECYCLE, NULL, &t->box);
	_json_ json_t *context = json_pack("{s:s}", "old_name", "c0");
	_json_ json_t *event = NULL;

	event_lifecycle(t->events, &(struct event_source){ .action = "instance-renamed",
							   .url = "/1.0/instances/c1",
							   .key = "c1",
							   .username = "root",
							   .protocol = "unix",
							   .context = context });
	assert_true(box_wait(&t->box, 1, PATIENCE_MS));
	event = last(t);
	assert_string_equal(json_str(event, "type", ""), "lifecycle");
	assert_string_equal(json_str(event, "project", ""), "default");
	assert_string_equal(json_str(json_obj(event, "metadata"), "action", ""),
			    "instance-renamed");
	assert_string_equal(json_str(json_obj(event, "metadata"), "source", ""),
			    "/1.0/instances/c1");
	assert_string_equal(
		json_str(json_obj(json_obj(event, "metadata"), "context"), "old_name", ""), "c0");
	assert_string_equal(json_str(json_obj(json_obj(event, "metadata"), "requestor"), "username",
				     ""),
			    "root");
	event_unlisten(t->events, l);
}

/* An operation's change is told once, however it arrives, and never after a newer one. */
static void test_operation_once(void **state)
{
	struct world *t = *state;
	struct event_listener *l = listen(t, EV_OPERATION, NULL, &t->box);
	_json_ json_t *event = NULL;

	put_operation(t, "Running", "2026-01-01T00:00:00.000000001Z");
	assert_true(box_wait(&t->box, 1, PATIENCE_MS));
	put_operation(t, "Running", "2026-01-01T00:00:00.000000001Z");
	put_operation(t, "Success", "2026-01-01T00:00:00.000000003Z");
	assert_true(box_wait(&t->box, 2, PATIENCE_MS));
	put_operation(t, "Late", "2026-01-01T00:00:00.000000002Z");
	put_operation(t, "Last", "2026-01-01T00:00:00.000000004Z");
	assert_true(box_wait(&t->box, 3, PATIENCE_MS));
	event = last(t);
	assert_string_equal(json_str(json_obj(event, "metadata"), "status", ""), "Last");
	assert_string_equal(json_str(event, "location", ""), "none");
	assert_int_equal(t->box.count, 3);
	event_unlisten(t->events, l);
}

static void test_types(void **state)
{
	struct world *t = *state;
	struct box all;
	struct event_listener *ops = listen(t, EV_OPERATION, NULL, &t->box);
	struct event_listener *both = listen(t, EV_OPERATION | EV_LIFECYCLE, NULL, &all);

	box_init(&all);
	event_lifecycle(t->events,
			&(struct event_source){ .action = "config-updated", .url = "/1.0" });
	put_operation(t, "Running", "2026-01-01T00:00:00.000000001Z");
	assert_true(box_wait(&all, 2, PATIENCE_MS));
	assert_true(box_wait(&t->box, 1, PATIENCE_MS));
	assert_int_equal(t->box.count, 1);
	event_unlisten(t->events, ops);
	put_operation(t, "Success", "2026-01-01T00:00:00.000000002Z");
	assert_true(box_wait(&all, 3, PATIENCE_MS));
	assert_int_equal(t->box.count, 1);
	event_unlisten(t->events, both);
}

static void put_operation_on(struct world *t, const char *id, const char *key)
{
	_free_ char *url = ref_url("instances", key);
	_json_ json_t *op = json_pack("{s:s, s:s, s:{s:[s]}}", "id", id, "updated_at",
				      "2026-01-01T00:00:00Z", "resources", "instances", url);

	store_fact_put(t->w.store, FACT_OPERATION, id, op);
}

static void expect(struct world *t, const char *key, const char *project)
{
	_json_ json_t *event = last(t), *metadata = json_incref(json_obj(event, "metadata"));
	_free_ char *url = ref_url("instances", key);

	assert_string_equal(json_str(event, "project", ""), project);
	assert_string_equal(json_str(metadata, "project", ""), project);
	assert_string_equal(json_str(metadata, "name", ""), ref_of(key).name);
	assert_string_equal(json_str(metadata, "source", ""), url);
}

/* Each hears of what is in its project, and whoever asks for all of everything. */
static void test_projects(void **state)
{
	static const char *const keys[] = { "c1", "web~c1", "we~c1" };
	static const char *const projects[] = { PROJECT_DEFAULT, "web", "we" };
	struct world *t = *state;
	struct event_listener *l[3], *every;
	struct box heard[3], all;

	box_init(&all);
	every = listen(t, EV_OPERATION | EV_LIFECYCLE, NULL, &all);
	for (int i = 0; i < 3; i++) {
		box_init(&heard[i]);
		l[i] = listen(t, EV_OPERATION | EV_LIFECYCLE, projects[i], &heard[i]);
	}
	for (int i = 0; i < 3; i++) {
		_free_ char *url = ref_url("instances", keys[i]);

		event_lifecycle(t->events, &(struct event_source){ .action = "instance-started",
								   .url = url,
								   .key = keys[i] });
		assert_true(box_wait(&heard[i], 1, PATIENCE_MS));
		str_copy(t->box.last, sizeof(t->box.last), heard[i].last);
		expect(t, keys[i], projects[i]);
		put_operation_on(t, projects[i], keys[i]);
		assert_true(box_wait(&heard[i], 2, PATIENCE_MS));
	}
	assert_true(box_wait(&all, 6, PATIENCE_MS));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(heard[i].count, 2);
		event_unlisten(t->events, l[i]);
	}
	event_unlisten(t->events, every);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lifecycle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_operation_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_projects, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
