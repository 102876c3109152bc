/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/self/peers.h"

static struct peers *peers_of(int database, int others)
{
	char path[] = "/tmp/dunlin-test-peers-XXXXXX";
	int fd = mkstemp(path);
	struct peers *p = peers_new(path);
	_json_ json_t *list = json_array();
	struct err err;

	for (int i = 0; i < database + others; i++) {
		char name[16], uuid[40];

		snprintf(name, sizeof(name), "m%d", i);
		snprintf(uuid, sizeof(uuid), "uuid-%d", i);
		/* The few are somewhere in the middle. */
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:b}", "name", name, "uuid", uuid,
						"address", "10.0.0.1:8443", "database",
						i >= others / 2 && i < others / 2 + database));
	}
	assert_int_equal(peers_set(p, list, &err), 0);
	unlink(path);
	close(fd);
	return p;
}

/* Of a thousand members the few that know are asked, from whatever start; of the others only one
 * between two rounds, and never the same one again soon. */
static void the_few_that_know_are_asked(void **state)
{
	struct peers *p = peers_of(5, 995);

	for (unsigned start = 0; start < 4000; start += 7) {
		int database = 0, others = 0;
		char last[64] = "";

		for (unsigned i = start; i < start + 33; i++) {
			struct peer_info info;

			assert_true(peers_ask(p, i, &info));
			database += info.database;
			others += !info.database;
			if (info.database)
				continue;
			assert_string_not_equal(last, info.name);
			str_copy(last, sizeof(last), info.name);
		}
		assert_int_equal(database, 30);
		assert_int_equal(others, 3);
	}
	peers_free(p);
}

static void nobody_is_left_out(void **state)
{
	static const int sizes[][2] = { { 1, 0 }, { 3, 0 }, { 0, 4 }, { 2, 3 } };

	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct peers *p = peers_of(sizes[k][0], sizes[k][1]);
		int n = sizes[k][0] + sizes[k][1], seen = 0;
		bool asked[8] = { false };
		struct peer_info info;

		for (unsigned i = 0; i < 40; i++) {
			if (peers_ask(p, i, &info))
				asked[info.name[1] - '0'] = true;
		}
		for (int i = 0; i < n; i++)
			seen += asked[i];
		assert_int_equal(seen, n);
		peers_free(p);
	}
}

static void of_none_nobody_is_asked(void **state)
{
	struct peers *p = peers_of(0, 0);
	struct peer_info info;

	assert_false(peers_ask(p, 7, &info));
	peers_free(p);
}

/* --- on disk and by name ---------------------------------------------------------------------- */

static char file[] = "/tmp/dunlin-test-peers-file-XXXXXX";

static int make_file(void **state)
{
	int fd;

	str_copy(file, sizeof(file), "/tmp/dunlin-test-peers-file-XXXXXX");
	fd = mkstemp(file);
	close(fd);
	return unlink(file);
}

static int drop_file(void **state)
{
	unlink(file);
	return 0;
}

#define ONE                                                               \
	"{\"name\":\"n1\",\"uuid\":\"u1\",\"address\":\"10.0.0.1:8443\"," \
	"\"fingerprint\":\"f1\",\"database\":true}"
#define TWO \
	"{\"name\":\"n2\",\"uuid\":\"u2\",\"address\":\"\",\"fingerprint\":\"\",\"database\":false}"

static int set(struct peers *p, const char *text, struct err *err)
{
	_json_ json_t *list = json_parse(text, strlen(text), "list", err);

	return list ? peers_set(p, list, err) : -1;
}

static void what_is_set_is_loaded(void **state)
{
	struct peers *p = peers_new(file), *q = peers_new(file);
	_json_ json_t *list = NULL;
	_free_ char *text = NULL;
	struct err err = { 0 };

	assert_int_equal(peers_load(p, &err), 0); /* no file yet */
	assert_int_equal(set(p, "[" ONE "," TWO "]", &err), 0);
	assert_int_equal(peers_load(q, &err), 0);
	list = peers_json(q);
	text = json_text(list);
	assert_string_equal(text, "[" ONE "," TWO "]");
	peers_free(p);
	peers_free(q);
}

static void members_are_found_by_what_they_have(void **state)
{
	struct peers *p = peers_new(file);
	struct peer_info info = { 0 };
	struct err err = { 0 };

	assert_int_equal(set(p, "[" ONE "," TWO "]", &err), 0);
	assert_true(peers_by_uuid(p, "u2", &info));
	assert_string_equal(info.name, "n2");
	assert_false(info.database);
	assert_true(peers_by_address(p, "10.0.0.1:8443", &info));
	assert_string_equal(info.name, "n1");
	assert_true(peers_by_fingerprint(p, "f1", &info));
	assert_true(info.database);
	/* what one has not is not what another has not */
	assert_false(peers_by_address(p, "", &info));
	assert_false(peers_by_fingerprint(p, "", &info));
	assert_false(peers_by_uuid(p, "", &info));
	assert_false(peers_by_uuid(p, "u", &info));
	assert_false(peers_by_fingerprint(p, "F1", &info));
	peers_free(p);
}

static void bad_lists_change_nothing(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[1]",
		"[{}]",
		"[" ONE ",{\"name\":\"n2\"}]",
		"[{\"name\":\"\",\"uuid\":\"u\"}]",
		"[{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123\","
		"\"uuid\":\"u\"}]",
		"[{\"name\":\"n\",\"uuid\":\"01234567890123456789012345678901234567890\"}]",
	};
	struct peers *p = peers_new(file), *q = peers_new(file);
	struct peer_info info;
	struct err err = { 0 };

	assert_int_equal(set(p, "[" ONE "]", &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (set(p, bad[i], &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, file));
		assert_true(peers_by_uuid(p, "u1", &info));
	}
	assert_int_equal(peers_load(q, &err), 0);
	assert_true(peers_by_uuid(q, "u1", &info));
	peers_free(p);
	peers_free(q);
}

static void a_damaged_file_is_told(void **state)
{
	struct peers *p = peers_new(file);
	struct err err = { 0 };

	assert_int_equal(io_write_file(file, "[{", 2, 0600, &err), 0);
	assert_int_equal(peers_load(p, &err), -1);
	assert_non_null(strstr(err.msg, file));
	peers_free(p);
}

static void put_member(struct replica *r, int64_t rev, const char *name, const char *doc)
{
	replica_apply(r, &(struct change){ ENT_MEMBER, name, rev, doc }, 1, rev);
}

static void rows_are_taken_over(void **state)
{
	struct notifier *n = notifier_new();
	struct err err = { 0 };
	struct replica *r = replica_new(n, &err);
	struct peers *p = peers_new(file), *q = peers_new(file);
	struct peer_info info;

	/* without rows what is known stays: an island that has not loaded any */
	assert_int_equal(set(p, "[" ONE "]", &err), 0);
	assert_int_equal(peers_refresh(p, r, &err), 0);
	assert_true(peers_by_uuid(p, "u1", &info));
	put_member(r, 1, "a",
		   "{\"uuid\":\"ua\",\"address\":\"a:1\",\"fingerprint\":\"fa\","
		   "\"role\":\"voter\"}");
	put_member(r, 2, "b", "{\"uuid\":\"ub\",\"role\":\"standby\"}");
	put_member(r, 3, "c", "{\"uuid\":\"uc\",\"role\":\"spare\"}");
	assert_int_equal(peers_refresh(p, r, &err), 0);
	assert_false(peers_by_uuid(p, "u1", &info));
	assert_true(peers_by_fingerprint(p, "fa", &info));
	assert_true(info.database);
	assert_true(peers_by_uuid(p, "ub", &info));
	assert_true(info.database);
	assert_true(peers_by_uuid(p, "uc", &info));
	assert_false(info.database);
	assert_int_equal(peers_load(q, &err), 0);
	assert_true(peers_by_uuid(q, "uc", &info));
	/* the same rows do not write the file again */
	assert_int_equal(unlink(file), 0);
	assert_int_equal(peers_refresh(p, r, &err), 0);
	assert_int_equal(access(file, F_OK), -1);
	peers_free(p);
	peers_free(q);
	replica_free(r);
	notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_few_that_know_are_asked),
		cmocka_unit_test(nobody_is_left_out),
		cmocka_unit_test(of_none_nobody_is_asked),
		cmocka_unit_test_setup_teardown(what_is_set_is_loaded, make_file, drop_file),
		cmocka_unit_test_setup_teardown(members_are_found_by_what_they_have, make_file,
						drop_file),
		cmocka_unit_test_setup_teardown(bad_lists_change_nothing, make_file, drop_file),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_told, make_file, drop_file),
		cmocka_unit_test_setup_teardown(rows_are_taken_over, make_file, drop_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
