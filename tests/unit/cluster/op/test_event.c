/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/store_world.h"

#include <string.h>

#include "cluster/op/event.h"

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
	struct event_listener *l = event_listen(t->events, EV_LIFECYCLE, deliver, &t->box);
	_json_ json_t *context = json_pack("{s:s}", "old_name", "c0");
	_json_ json_t *event = NULL;

	event_lifecycle(t->events, &(struct event_source){ .action = "instance-renamed",
							   .url = "/1.0/instances/c1",
							   .key = "c1",
							   .username = "root",
							   .protocol = "unix",
							   .context = context });
	assert_true(box_wait(&t->box, 1, 5000));
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
	struct event_listener *l = event_listen(t->events, EV_OPERATION, deliver, &t->box);
	_json_ json_t *event = NULL;

	put_operation(t, "Running", "2026-01-01T00:00:00.000000001Z");
	assert_true(box_wait(&t->box, 1, 5000));
	put_operation(t, "Running", "2026-01-01T00:00:00.000000001Z");
	put_operation(t, "Success", "2026-01-01T00:00:00.000000003Z");
	assert_true(box_wait(&t->box, 2, 5000));
	put_operation(t, "Late", "2026-01-01T00:00:00.000000002Z");
	put_operation(t, "Last", "2026-01-01T00:00:00.000000004Z");
	assert_true(box_wait(&t->box, 3, 5000));
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
	struct event_listener *ops = event_listen(t->events, EV_OPERATION, deliver, &t->box);
	struct event_listener *both =
		event_listen(t->events, EV_OPERATION | EV_LIFECYCLE, deliver, &all);

	box_init(&all);
	event_lifecycle(t->events,
			&(struct event_source){ .action = "config-updated", .url = "/1.0" });
	put_operation(t, "Running", "2026-01-01T00:00:00.000000001Z");
	assert_true(box_wait(&all, 2, 5000));
	assert_true(box_wait(&t->box, 1, 5000));
	assert_int_equal(t->box.count, 1);
	event_unlisten(t->events, ops);
	put_operation(t, "Success", "2026-01-01T00:00:00.000000002Z");
	assert_true(box_wait(&all, 3, 5000));
	assert_int_equal(t->box.count, 1);
	event_unlisten(t->events, both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lifecycle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_operation_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
