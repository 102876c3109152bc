/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's certificate: another one is ordered, made, shown, and given to members that ask. */
#include "base/net/tls.h"
#include "cluster/member/rotate.h"
#include "tests/unit/cluster/member/guest.h"

static struct store_world world;

static int open_world(void **state)
{
	world_enable(&world);
	return 0;
}

static int close_world(void **state)
{
	world_close(&world);
	return 0;
}

static void nothing_was_ordered_yet(void **state)
{
	struct err err = { 0 };

	assert_null(cluster_serve_certificate(world.cluster, &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_int_equal(cluster_settle_certificate(world.cluster, &err), 0);
}

/* What is ordered is shown a moment later, and is a pair that fits. */
static void renewed(char shown[SHA256_HEX_SIZE])
{
	char before[SHA256_HEX_SIZE], of_pair[SHA256_HEX_SIZE];
	_json_ json_t *pair = NULL;
	struct err err = { 0 };
	struct tls_ctx *tls;

	str_copy(before, sizeof(before), cluster_fingerprint(world.cluster));
	pthread_mutex_lock(&world.cluster->change_lock);
	if (rotate_renew(world.cluster, &err) < 0)
		fail_msg("%s", err.msg);
	pthread_mutex_unlock(&world.cluster->change_lock);
	rotate_wait(world.cluster, deadline_in(60000), shown);
	assert_string_equal(cluster_fingerprint(world.cluster), shown);
	assert_string_not_equal(shown, before);
	pair = cluster_serve_certificate(world.cluster, &err);
	if (!pair)
		fail_msg("%s", err.msg);
	assert_int_equal(x509_fingerprint(json_str(pair, "certificate", ""), of_pair, &err), 0);
	assert_string_equal(of_pair, shown);
	tls = tls_server_new(json_str(pair, "certificate", ""), json_str(pair, "key", ""), &err);
	assert_non_null(tls);
	tls_unref(tls);
}

static void another_one_is_ordered_and_shown(void **state)
{
	char first[SHA256_HEX_SIZE], second[SHA256_HEX_SIZE];
	struct err err = { 0 };
	_json_ json_t *row = NULL;

	renewed(first);
	assert_int_equal(cluster_settle_certificate(world.cluster, &err), 0);
	renewed(second);
	assert_string_not_equal(first, second);
	row = world_doc(&world, ENT_CLUSTER, "certificate");
	assert_string_equal(json_str(row, "fingerprint", ""), second);
	assert_string_equal(json_str(row, "holder", ""), FIRST);
	/* a key stands in no row */
	assert_null(json_object_get(row, "key"));
}

/* Those that are away are not waited for: they fetch it when they are back. */
static void members_that_are_away_hold_nobody_up(void **state)
{
	char shown[SHA256_HEX_SIZE];

	guest_admit(&world, "n2", "127.0.0.1:2");
	renewed(shown);
}

/* Of a certificate that nobody has any more. */
static void one_that_is_lost_is_made_anew(void **state)
{
	static const char lost[] = "00000000000000000000000000000000"
				   "00000000000000000000000000000000";
	char shown[SHA256_HEX_SIZE];

	world_put(&world, ENT_CLUSTER, "certificate",
		  json_pack("{s:s,s:s,s:s}", "certificate", "pem", "fingerprint", lost, "holder",
			    FIRST));
	rotate_wait(world.cluster, deadline_in(60000), shown);
	assert_string_not_equal(shown, lost);
	assert_string_equal(cluster_fingerprint(world.cluster), shown);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(nothing_was_ordered_yet),
		T(another_one_is_ordered_and_shown),
		T(members_that_are_away_hold_nobody_up),
		T(one_that_is_lost_is_made_anew),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
