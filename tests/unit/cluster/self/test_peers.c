/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/self/peers.h"

static struct peers *peers_of(int database, int others)
{
	char path[] = "/tmp/dunlin-peers-XXXXXX";
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_few_that_know_are_asked),
		cmocka_unit_test(nobody_is_left_out),
		cmocka_unit_test(of_none_nobody_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
