/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/x509.h"
#include "base/str.h"
#include "cluster/self/identity.h"

static char dir[64];

static int make_dir(void **state)
{
	str_copy(dir, sizeof(dir), "/tmp/dunlin-test-identity-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct err err;

	return io_remove_tree(dir, &err);
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	_free_ char *path = path_of(name);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

static char *get(const char *name)
{
	_free_ char *path = path_of(name);
	struct err err;

	return io_read_file(path, 1 << 16, NULL, &err);
}

static bool there(const char *name)
{
	_free_ char *path = path_of(name);

	return io_exists(path);
}

static void drop(const char *name)
{
	_free_ char *path = path_of(name);

	assert_int_equal(unlink(path), 0);
}

static void expect_content(const char *name, const char *want)
{
	_free_ char *text = get(name);

	if (!str_eq(text, want))
		fail_msg("%s: %s", name, text ? text : "not there");
}

static struct identity loaded(void)
{
	struct identity id;
	struct err err = { 0 };

	if (identity_load(dir, &id, &err) < 0)
		fail_msg("%s", err.msg);
	return id;
}

/* --- member.json ------------------------------------------------------------------------------ */

static void a_new_folder_gets_an_identity(void **state)
{
	struct identity a = loaded(), b = loaded();
	_free_ char *path = path_of("member.json");
	struct stat st;

	assert_true(str_is_uuid(a.uuid));
	assert_string_equal(a.name, "none");
	assert_string_equal(a.address, "");
	assert_false(a.enabled);
	assert_false(a.removed);
	assert_int_equal(a.raft_id, 1);
	assert_int_equal(a.db, DB_FRESH);
	assert_true(a.latency_ms >= 20);
	assert_string_equal(a.uuid, b.uuid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_is_saved_is_loaded(void **state)
{
	static const struct {
		uint64_t raft_id;
		enum db_state db;
		bool enabled, removed;
	} cases[] = {
		{ 1, DB_FRESH, false, false },
		{ UINT64_MAX, DB_READY, true, false },
		{ 0, DB_NONE, true, true },
		{ 9007199254740993, DB_READY, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct identity id = { .name = "n1",
				       .address = "[fd00::1]:8443",
				       .enabled = cases[i].enabled,
				       .removed = cases[i].removed,
				       .joined = 1234567890123,
				       .raft_id = cases[i].raft_id,
				       .db = cases[i].db,
				       .latency_ms = 77 };
		struct identity back;
		struct err err = { 0 };

		rng_uuid(id.uuid);
		assert_int_equal(identity_save(dir, &id, &err), 0);
		back = loaded();
		assert_string_equal(back.uuid, id.uuid);
		assert_string_equal(back.name, "n1");
		assert_string_equal(back.address, "[fd00::1]:8443");
		assert_int_equal(back.enabled, id.enabled);
		assert_int_equal(back.removed, id.removed);
		assert_int_equal(back.joined, id.joined);
		assert_true(back.raft_id == id.raft_id);
		assert_int_equal(back.db, id.db);
		assert_int_equal(back.latency_ms, 77);
	}
}

#define UUID "\"uuid\":\"550e8400-e29b-41d4-a716-446655440000\""
#define REST "\"name\":\"n1\",\"address\":\"\",\"enabled\":false,\"removed\":false"

static void damage_is_no_other_member(void **state)
{
	static const char *const bad[] = {
		"",
		"nonsense",
		"[]",
		"{}",
		"{" UUID "," REST "}",
		"{" UUID "," REST ",\"raft_id\":\"1\"}",
		"{" UUID "," REST ",\"raft_id\":1,\"database\":\"ready\"}",
		"{" UUID "," REST ",\"raft_id\":\"\",\"database\":\"ready\"}",
		"{" UUID "," REST ",\"raft_id\":\"-1\",\"database\":\"ready\"}",
		"{" UUID "," REST ",\"raft_id\":\"0\",\"database\":\"ready\"}",
		"{" UUID "," REST ",\"raft_id\":\"1\",\"database\":\"none\"}",
		"{" UUID "," REST ",\"raft_id\":\"1\",\"database\":\"rotten\"}",
		"{\"uuid\":\"x\"," REST ",\"raft_id\":\"1\",\"database\":\"ready\"}",
		"{" REST ",\"raft_id\":\"1\",\"database\":\"ready\"}",
		"{" UUID ",\"name\":\"\",\"address\":\"\",\"enabled\":false,\"removed\":false,"
		"\"raft_id\":\"1\",\"database\":\"ready\"}",
		"{" UUID ",\"name\":\"n1\",\"address\":\"\",\"enabled\":\"no\",\"removed\":false,"
		"\"raft_id\":\"1\",\"database\":\"ready\"}",
		"{" UUID ",\"name\":\"n1\",\"address\":\"\",\"enabled\":false,"
		"\"raft_id\":\"1\",\"database\":\"ready\"}",
	};

	put("member.json", "{" UUID "," REST ",\"raft_id\":\"1\",\"database\":\"ready\"}");
	assert_string_equal(loaded().name, "n1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct identity id = { .name = "untouched" };
		struct err err = { 0 };

		put("member.json", bad[i]);
		if (identity_load(dir, &id, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(strstr(err.msg, "who this server is cannot be read"));
		assert_non_null(strstr(err.msg, "put"));
		assert_non_null(strstr(err.msg, dir));
		expect_content("member.json", bad[i]);
	}
}

/* An older file, and one that somebody edited, get what is usual. */
static void an_odd_latency_is_the_default(void **state)
{
	static const char *const texts[] = { "", ",\"raft_latency_ms\":1",
					     ",\"raft_latency_ms\":1000000",
					     ",\"raft_latency_ms\":\"x\"" };
	unsigned usual = loaded().latency_ms;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_free_ char *text = xasprintf(
			"{" UUID "," REST ",\"raft_id\":\"1\",\"database\":\"ready\"%s}", texts[i]);

		put("member.json", text);
		assert_int_equal(loaded().latency_ms, usual);
		assert_int_equal(loaded().joined, 0);
	}
}

static void a_folder_in_use_is_not_made_new(void **state)
{
	static const char *const files[] = { "cluster.crt", "cluster.key", "peers.json",
					     "replica.db" };
	static const char *const folders[] = { "database", "containers", "storage-pools",
					       "images" };
	struct identity id;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		put(files[i], "x");
		assert_int_equal(identity_load(dir, &id, &err), -1);
		assert_int_equal(err.kind, ERR_CONFLICT);
		assert_non_null(strstr(err.msg, files[i]));
		assert_false(there("member.json"));
		drop(files[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_free_ char *path = path_of(folders[i]);
		_free_ char *inside = xasprintf("%s/x", folders[i]);

		assert_int_equal(mkdir(path, 0700), 0);
		put(inside, "x");
		assert_int_equal(identity_load(dir, &id, &err), -1);
		assert_int_equal(err.kind, ERR_CONFLICT);
		assert_non_null(strstr(err.msg, folders[i]));
		drop(inside);
		/* an empty folder is nothing that is lost */
	}
	assert_int_equal(identity_load(dir, &id, &err), 0);
}

/* --- certificates ----------------------------------------------------------------------------- */

static struct creds creds(const struct identity *id)
{
	struct creds c;
	struct err err = { 0 };

	if (creds_load(dir, id, &c, &err) < 0)
		fail_msg("%s", err.msg);
	return c;
}

static void make_pair(char **ret_cert, char **ret_key, char fp[SHA256_HEX_SIZE])
{
	struct err err;

	assert_int_equal(x509_make("cluster", ret_cert, ret_key, &err), 0);
	assert_int_equal(x509_fingerprint(*ret_cert, fp, &err), 0);
}

static void a_single_host_shows_its_own(void **state)
{
	struct identity id = loaded();
	struct creds a = creds(&id), b = creds(&id);

	assert_string_equal(a.server_fp, b.server_fp);
	assert_string_equal(a.cluster_fp, a.server_fp);
	assert_string_equal(a.cluster_key, a.server_key);
	assert_null(a.previous_key);
	creds_free(&a);
	creds_free(&a);
	creds_free(&b);
}

static void a_staged_pair_waits(void **state)
{
	struct identity id = loaded();
	struct creds before = creds(&id), after;
	char staged_fp[SHA256_HEX_SIZE];
	_free_ char *staged = NULL;
	struct err err = { 0 };

	assert_int_equal(creds_stage(dir, "n1", &staged, &err), 0);
	assert_int_equal(x509_fingerprint(staged, staged_fp, &err), 0);
	after = creds(&id);
	assert_string_equal(after.server_fp, before.server_fp);
	creds_free(&after);
	assert_int_equal(creds_promote(dir, &err), 0);
	after = creds(&id);
	assert_string_equal(after.server_fp, staged_fp);
	assert_false(there("server.next.key"));
	assert_int_equal(creds_promote(dir, &err), -1);
	creds_free(&before);
	creds_free(&after);
}

static void an_unstaged_pair_is_forgotten(void **state)
{
	struct identity id = loaded();
	struct creds before = creds(&id), after;
	_free_ char *staged = NULL;
	struct err err = { 0 };

	assert_int_equal(creds_stage(dir, "n1", &staged, &err), 0);
	creds_unstage(dir);
	creds_unstage(dir);
	assert_false(there("server.next.crt"));
	assert_false(there("server.next.key"));
	after = creds(&id);
	assert_string_equal(after.server_fp, before.server_fp);
	creds_free(&before);
	creds_free(&after);
}

/* Stopped at each point of a promotion: the next start ends it, or leaves it for later. */
static void a_promotion_that_was_cut_off_is_finished(void **state)
{
	static const struct {
		bool enabled, key_moved, promoted;
	} cases[] = {
		{ false, false, false }, /* on the way into a cluster: the rows will say */
		{ false, true, true },
		{ true, false, true },
		{ true, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct identity id = { .uuid = "u", .name = "n1" };
		_free_ char *cert = NULL, *key = NULL, *staged = NULL;
		_free_ char *from = path_of("server.next.key"), *to = path_of("server.key");
		char cluster_fp[SHA256_HEX_SIZE], staged_fp[SHA256_HEX_SIZE];
		struct err err = { 0 };
		struct creds c = creds(&id);

		creds_free(&c);
		make_pair(&cert, &key, cluster_fp);
		assert_int_equal(creds_write_cluster(dir, cert, key, &err), 0);
		assert_int_equal(creds_stage(dir, "n1", &staged, &err), 0);
		assert_int_equal(x509_fingerprint(staged, staged_fp, &err), 0);
		if (cases[i].key_moved)
			assert_int_equal(rename(from, to), 0);
		id.enabled = cases[i].enabled;
		c = creds(&id);
		assert_int_equal(str_eq(c.server_fp, staged_fp), cases[i].promoted);
		assert_int_equal(there("server.next.crt"), !cases[i].promoted);
		assert_string_equal(c.cluster_fp, cases[i].enabled ? cluster_fp : c.server_fp);
		creds_free(&c);
		creds_unstage(dir);
	}
}

static void the_clusters_pair_is_exchanged(void **state)
{
	struct identity id = { .uuid = "u", .name = "n1", .enabled = true };
	char a_fp[SHA256_HEX_SIZE], b_fp[SHA256_HEX_SIZE];
	_free_ char *a = NULL, *a_key = NULL, *b = NULL, *b_key = NULL;
	struct err err = { 0 };
	struct creds c;

	make_pair(&a, &a_key, a_fp);
	make_pair(&b, &b_key, b_fp);
	assert_int_equal(creds_write_cluster(dir, a, a_key, &err), 0);
	c = creds(&id);
	assert_string_equal(c.cluster_fp, a_fp);
	assert_null(c.previous_key);
	creds_free(&c);
	/* staged: nothing is shown yet */
	assert_false(creds_staged_cluster(dir, b_fp));
	assert_int_equal(creds_stage_cluster(dir, b, b_key, &err), 0);
	assert_true(creds_staged_cluster(dir, b_fp));
	assert_false(creds_staged_cluster(dir, a_fp));
	c = creds(&id);
	assert_string_equal(c.cluster_fp, a_fp);
	creds_free(&c);
	assert_int_equal(creds_promote_cluster(dir, &err), 0);
	assert_false(creds_staged_cluster(dir, b_fp));
	c = creds(&id);
	assert_string_equal(c.cluster_fp, b_fp);
	assert_string_equal(c.cluster_key, b_key);
	assert_string_equal(c.previous_key, a_key);
	creds_free(&c);
	/* into another cluster: the key of before is none of its */
	assert_int_equal(creds_write_cluster(dir, a, a_key, &err), 0);
	c = creds(&id);
	assert_string_equal(c.cluster_fp, a_fp);
	assert_null(c.previous_key);
	creds_free(&c);
}

static void an_exchange_that_was_cut_off_is_finished(void **state)
{
	struct identity id = { .uuid = "u", .name = "n1", .enabled = true };
	char a_fp[SHA256_HEX_SIZE], b_fp[SHA256_HEX_SIZE];
	_free_ char *a = NULL, *a_key = NULL, *b = NULL, *b_key = NULL;
	_free_ char *from = path_of("cluster.next.key"), *to = path_of("cluster.key");
	struct err err = { 0 };
	struct creds c;

	make_pair(&a, &a_key, a_fp);
	make_pair(&b, &b_key, b_fp);
	assert_int_equal(creds_write_cluster(dir, a, a_key, &err), 0);
	assert_int_equal(creds_stage_cluster(dir, b, b_key, &err), 0);
	/* the key was moved, the certificate not */
	assert_int_equal(rename(from, to), 0);
	c = creds(&id);
	assert_string_equal(c.cluster_fp, b_fp);
	assert_string_equal(c.cluster_key, b_key);
	creds_free(&c);
	creds_unstage_cluster(dir);
	assert_false(there("cluster.next.crt"));
}

static void a_member_without_the_clusters_pair_does_not_start(void **state)
{
	struct identity id = { .uuid = "u", .name = "n1", .enabled = true };
	struct creds c;
	struct err err = { 0 };

	assert_int_equal(creds_load(dir, &id, &c, &err), -1);
	assert_non_null(strstr(err.msg, "cluster.crt"));
	put("cluster.crt", "nonsense");
	put("cluster.key", "nonsense");
	assert_int_equal(creds_load(dir, &id, &c, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void keys_are_private(void **state)
{
	struct identity id = { .uuid = "u", .name = "n1", .enabled = true };
	static const char *const keys[] = { "server.key", "cluster.key", "cluster.previous.key",
					    "server.next.key" };
	_free_ char *a = NULL, *a_key = NULL, *staged = NULL;
	char fp[SHA256_HEX_SIZE];
	struct err err = { 0 };
	struct creds c;

	make_pair(&a, &a_key, fp);
	assert_int_equal(creds_write_cluster(dir, a, a_key, &err), 0);
	assert_int_equal(creds_stage_cluster(dir, a, a_key, &err), 0);
	assert_int_equal(creds_promote_cluster(dir, &err), 0);
	c = creds(&id);
	creds_free(&c);
	assert_int_equal(creds_stage(dir, "n1", &staged, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_free_ char *path = path_of(keys[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

#define test(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(a_new_folder_gets_an_identity),
		test(what_is_saved_is_loaded),
		test(damage_is_no_other_member),
		test(an_odd_latency_is_the_default),
		test(a_folder_in_use_is_not_made_new),
		test(a_single_host_shows_its_own),
		test(a_staged_pair_waits),
		test(an_unstaged_pair_is_forgotten),
		test(a_promotion_that_was_cut_off_is_finished),
		test(the_clusters_pair_is_exchanged),
		test(an_exchange_that_was_cut_off_is_finished),
		test(a_member_without_the_clusters_pair_does_not_start),
		test(keys_are_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
