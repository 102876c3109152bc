/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/helper/verbs.h"
#include "node/host/watch.h"
#include "tests/unit/base/patience.h"

/* One that does nothing until it is killed, or its test forgot it. */
static json_t *wait_here(const json_t *request, struct err *err)
{
	alarm(60);
	pause();
	return NULL;
}

static json_t *begin_another(const json_t *request, struct err *err)
{
	return helper_run("helper-wait", request, NULL, 0, PATIENCE, err);
}

static const struct helper_verb own_verbs[] = {
	{ "helper-wait", wait_here },
	{ "helper-another", begin_another },
	{ NULL, NULL },
};

static void test_error_travels(void **state)
{
	_json_ json_t *request =
		json_pack("{ss,ss,ss}", "name", "nobody", "lxcpath", "/nonexistent", "op", "get");
	struct err err = { 0 };

	assert_null(helper_run("helper-file", request, NULL, 0, PATIENCE, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	assert_true(strstr(err.msg, "id map") != NULL);
}

static void test_unknown_verb(void **state)
{
	char arg0[] = "dunlind", arg1[] = "frobnicate", arg2[] = "helper-none";
	char *argv[] = { arg0, arg1, NULL }, *other[] = { arg0, arg2, NULL };

	assert_int_equal(helper_main(helper_verbs, 1, argv), -1);
	assert_int_equal(helper_main(helper_verbs, 2, argv), -1);
	assert_int_equal(helper_main(helper_verbs, 2, other), -1);
}

/* Nor does a program that was started as one and does not know it. */
static void test_helper_starts_no_other(void **state)
{
	_json_ json_t *request = json_object();
	struct err err = { 0 };

	assert_null(helper_run("helper-another", request, NULL, 0, PATIENCE, &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_non_null(strstr(err.msg, "a helper starts no other helper"));
}

static void test_killed(void **state)
{
	_json_ json_t *request = json_object();
	struct err err = { 0 };
	struct helper h;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(helper_begin(&h, "helper-wait", request, pair, 1, &err), 0);
	kill(h.proc.pid, SIGKILL);
	assert_null(helper_end(&h, PATIENCE, &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_true(strstr(err.msg, "signal 9") != NULL);
	close(pair[0]);
	close(pair[1]);
}

static void test_deadline(void **state)
{
	_json_ json_t *request = json_object();
	struct err err = { 0 };
	struct helper h;

	assert_int_equal(helper_begin(&h, "helper-wait", request, NULL, 0, &err), 0);
	assert_null(helper_end(&h, deadline_in(50), &err));
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(h.proc.pid, 0);
}

static void test_too_many_descriptors(void **state)
{
	_json_ json_t *request = json_object();
	int fds[PROC_FDS_MAX] = { 0 };
	struct err err = { 0 };

	assert_null(helper_run("helper-stop", request, fds, PROC_FDS_MAX, deadline_in(1000), &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
}

/* --- watch ----------------------------------------------------------------------------- */

struct note {
	int fd;
};

static void on_fire(void *arg)
{
	assert_int_equal(write(((struct note *)arg)->fd, "x", 1), 1);
}

static struct note *note(int fd)
{
	struct note *n = xnew(struct note);

	n->fd = fd;
	return n;
}

static void test_watch(void **state)
{
	struct err err;
	struct watch *w = watch_new(&err);
	int out[2], in[2];
	int64_t id;
	char c;

	assert_non_null(w);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(in), 0);
	watch_fd(w, in[0], on_fire, note(out[1]));
	id = watch_timer(w, 60000, on_fire, note(-1));
	assert_int_equal(write(in[1], "!", 1), 1);
	assert_int_equal(read(out[0], &c, 1), 1);
	watch_timer(w, 10, on_fire, note(out[1]));
	assert_int_equal(read(out[0], &c, 1), 1);
	watch_cancel(w, id);
	watch_cancel(w, id);
	watch_timer(w, 60000, on_fire, note(-1));
	watch_free(w);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_travels),
		cmocka_unit_test(test_unknown_verb),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_too_many_descriptors),
		cmocka_unit_test(test_helper_starts_no_other),
	};
	int rc = helper_main(helper_verbs, argc, argv);

	if (rc < 0)
		rc = helper_main(own_verbs, argc, argv);
	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
