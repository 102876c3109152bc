/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/db/done.h"
#include "cluster/replica/replica.h"
#include "tests/unit/base/patience.h"

/* What a watcher was told, as text. */
struct told {
	pthread_mutex_t lock;
	struct sbuf text;
};

struct world {
	struct notifier *notifier;
	struct replica *r;
	struct told told;
};

static void told_row(void *arg, enum entity e, const char *key, int64_t rev, const char *text)
{
	struct told *t = arg;

	pthread_mutex_lock(&t->lock);
	sbuf_printf(&t->text, "%s%s@%lld ", text ? "+" : "-", key, (long long)rev);
	pthread_mutex_unlock(&t->lock);
}

static void told_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	struct told *t = arg;

	pthread_mutex_lock(&t->lock);
	sbuf_printf(&t->text, "%s/%s=%s ", member, key, text ? text : "-");
	pthread_mutex_unlock(&t->lock);
}

static void assert_told(struct world *w, const char *want)
{
	int64_t deadline = PATIENCE;
	bool same = false;

	while (!same && clock_ms() < deadline) {
		pthread_mutex_lock(&w->told.lock);
		same = str_eq(w->told.text.data ? w->told.text.data : "", want);
		pthread_mutex_unlock(&w->told.lock);
	}
	if (!same)
		print_error("told \"%s\", wanted \"%s\"\n", w->told.text.data, want);
	assert_true(same);
	pthread_mutex_lock(&w->told.lock);
	sbuf_reset(&w->told.text);
	pthread_mutex_unlock(&w->told.lock);
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct err err = { 0 };

	pthread_mutex_init(&w->told.lock, NULL);
	w->told.text = SBUF(1 << 20);
	w->notifier = notifier_new();
	notifier_watch(w->notifier, &(struct store_watch){
					    .row = told_row, .fact = told_fact, .arg = &w->told });
	notifier_open(w->notifier);
	assert_int_equal(notifier_start(w->notifier, &err), 0);
	w->r = replica_new(w->notifier, &err);
	assert_non_null(w->r);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	notifier_free(w->notifier);
	replica_free(w->r);
	sbuf_free(&w->told.text);
	free(w);
	return 0;
}

static void apply1(struct replica *r, enum entity e, const char *key, int64_t rev, const char *text)
{
	replica_apply(r, &(struct change){ e, key, rev, text }, 1, rev);
}

static void count_rows(void *arg, const char *key, int64_t rev, const char *text)
{
	(*(int *)arg)++;
}

static void note_index(void *arg, const char *key, int64_t rev, const char *value)
{
	json_t *all = arg;

	json_object_set_new(all, key, json_sprintf("%s@%d", value, (int)rev));
}

static void test_index(void **state)
{
	struct world *w = *state;
	_json_ json_t *all = json_object();

	apply1(w->r, ENT_INSTANCE, "c1", 1, "{\"member\":\"a\",\"name\":\"\\\"member\\\":\\\"x\"}");
	apply1(w->r, ENT_INSTANCE, "c2", 2, "{\"config\":{\"member\":\"x\"},\"member\":\"b\"}");
	apply1(w->r, ENT_INSTANCE, "c1", 3, "{\"member\":\"b\"}");
	apply1(w->r, ENT_INSTANCE, "c3", 4, "{\"config\":{\"member\":\"x\"}}");
	replica_each_index(w->r, ENT_INSTANCE, note_index, all);
	assert_int_equal(json_object_size(all), 3);
	assert_string_equal(json_str(all, "c1", NULL), "b@3");
	assert_string_equal(json_str(all, "c2", NULL), "b@2");
	assert_string_equal(json_str(all, "c3", NULL), "@4");
}

static void test_rows(void **state)
{
	struct world *w = *state;
	_free_ char *text = NULL;
	int64_t rev;
	int n = 0;

	apply1(w->r, ENT_INSTANCE, "c1", 1, "{\"member\":\"a\"}");
	apply1(w->r, ENT_INSTANCE, "c2", 2, "{\"member\":\"b\"}");
	apply1(w->r, ENT_INSTANCE, "c1", 3, "{\"member\":\"b\"}");
	assert_int_equal(replica_revision(w->r), 3);
	assert_int_equal(replica_row_rev(w->r, ENT_INSTANCE, "c1"), 3);
	assert_int_equal(replica_row_rev(w->r, ENT_INSTANCE, "c9"), 0);
	text = replica_text(w->r, ENT_INSTANCE, "c2", &rev);
	assert_string_equal(text, "{\"member\":\"b\"}");
	assert_int_equal(replica_count(w->r, ENT_INSTANCE, "b"), 2);
	assert_int_equal(replica_count(w->r, ENT_INSTANCE, "a"), 0);
	assert_int_equal(replica_count(w->r, ENT_CONFIG, "x"), 0);
	/* Older news changes nothing. */
	apply1(w->r, ENT_INSTANCE, "c1", 2, "{\"member\":\"a\"}");
	assert_int_equal(replica_count(w->r, ENT_INSTANCE, "a"), 0);
	apply1(w->r, ENT_INSTANCE, "c2", 4, NULL);
	replica_each(w->r, ENT_INSTANCE, NULL, count_rows, &n);
	assert_int_equal(n, 1);
	assert_told(w, "+c1@1 +c2@2 +c1@3 -c2@4 ");
}

static void test_full_copy(void **state)
{
	struct world *w = *state;
	const struct change rows[] = { { ENT_PROFILE, "kept", 2, "{}" },
				       { ENT_PROFILE, "new", 7, "{\"a\":1}" },
				       { ENT_PROFILE, "changed", 6, "{\"b\":2}" } };

	apply1(w->r, ENT_PROFILE, "kept", 2, "{}");
	apply1(w->r, ENT_PROFILE, "lost", 3, "{}");
	/* Ahead of the copy: another history. */
	apply1(w->r, ENT_PROFILE, "changed", 9, "{}");
	assert_told(w, "+kept@2 +lost@3 +changed@9 ");
	replica_full_begin(w->r);
	replica_full_rows(w->r, rows, 2);
	replica_full_rows(w->r, rows + 2, 1);
	replica_full_end(w->r, 8, 8);
	assert_told(w, "+new@7 +changed@6 -lost@9223372036854775807 ");
	assert_int_equal(replica_revision(w->r), 8);
	assert_int_equal(replica_floor(w->r), 8);
	assert_int_equal(replica_count(w->r, ENT_PROFILE, NULL), 3);
}

static void collect_fact(void *arg, enum fact f, const char *key, const char *member,
			 const char *text)
{
	sbuf_printf(arg, "%s/%s=%s ", member, key, text ? text : "-");
}

static void copy_change(void *arg, const struct change *c)
{
	sbuf_printf(arg, "%s%s@%lld ", c->text ? "+" : "-", c->key, (long long)c->rev);
}

static void test_since(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(4096);
	int64_t rev;

	apply1(w->r, ENT_PROFILE, "a", 1, "{}");
	apply1(w->r, ENT_PROFILE, "b", 2, "{}");
	apply1(w->r, ENT_PROFILE, "a", 3, NULL);
	apply1(w->r, ENT_NETWORK, "n", 4, "{}");
	rev = 1;
	assert_false(replica_since(w->r, &rev, SIZE_MAX, copy_change, &b));
	assert_string_equal(b.data, "+b@2 -a@3 +n@4 ");
	assert_int_equal(rev, 4);
	/* In pieces; nobody is told half a revision. */
	sbuf_reset(&b);
	rev = 1;
	assert_true(replica_since(w->r, &rev, 1, copy_change, &b));
	assert_string_equal(b.data, "+b@2 ");
	assert_int_equal(rev, 2);
	apply1(w->r, ENT_PROFILE, "c", 4, "{}");
	sbuf_reset(&b);
	rev = 3;
	assert_false(replica_since(w->r, &rev, 1, copy_change, &b));
	assert_string_equal(b.data, "+c@4 +n@4 ");
	replica_forget_gone(w->r, 3);
	assert_int_equal(replica_floor(w->r), 3);
	sbuf_reset(&b);
	rev = -1;
	assert_false(replica_since(w->r, &rev, SIZE_MAX, copy_change, &b));
	assert_string_equal(b.data, "+b@2 +c@4 +n@4 ");
}

static void test_facts_since(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(4096);
	int64_t seq = 0;

	replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", "1", false);
	replica_fact_put(w->r, FACT_INSTANCE, "c2", "b", "2", false);
	replica_fact_put(w->r, FACT_INSTANCE, "c3", "a", "3", false);
	assert_true(replica_facts_since(w->r, NULL, &seq, 1, collect_fact, &b));
	assert_string_equal(b.data, "a/c1=1 ");
	/* What changes behind it comes last. */
	assert_true(replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", "4", false));
	assert_false(replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", "4", false));
	sbuf_reset(&b);
	assert_false(replica_facts_since(w->r, NULL, &seq, SIZE_MAX, collect_fact, &b));
	assert_string_equal(b.data, "b/c2=2 a/c3=3 a/c1=4 ");
	seq = 0;
	sbuf_reset(&b);
	assert_false(replica_facts_since(w->r, "a", &seq, SIZE_MAX, collect_fact, &b));
	assert_string_equal(b.data, "a/c3=3 a/c1=4 ");
}

static void nested(void *arg, const char *key, int64_t rev, const char *text)
{
	struct replica *r = arg;
	int n = 0;

	replica_each(r, ENT_PROFILE, NULL, count_rows, &n);
	assert_int_equal(n, 3);
	assert_true(replica_row_rev(r, ENT_PROFILE, key) > 0);
}

static void test_nested_reads(void **state)
{
	struct world *w = *state;

	for (int i = 1; i <= 3; i++) {
		char key[] = { 'p', (char)('0' + i), 0 };

		apply1(w->r, ENT_PROFILE, key, i, "{}");
	}
	replica_each(w->r, ENT_PROFILE, NULL, nested, w->r);
}

static void test_file(void **state)
{
	struct world *w = *state;
	char path[] = "/tmp/dunlin-test-replica-XXXXXX";
	struct err err = { 0 };
	struct replica *r = replica_new(w->notifier, &err);
	int fd = mkstemp(path);

	close(fd);
	/* Garbage is refused and leaves an empty replica. */
	assert_int_equal(io_write_file(path, "not a database at all, surely not", 33, 0600, &err),
			 0);
	assert_int_equal(replica_load(r, path, &err), -1);
	assert_int_equal(replica_revision(r), 0);
	apply1(w->r, ENT_INSTANCE, "c1", 5, "{\"member\":\"a\"}");
	apply1(w->r, ENT_INSTANCE, "c2", 6, NULL);
	assert_int_equal(replica_save(w->r, path, &err), 0);
	assert_int_equal(replica_load(r, path, &err), 0);
	assert_int_equal(replica_revision(r), 6);
	assert_int_equal(replica_count(r, ENT_INSTANCE, "a"), 1);
	/* Cut off it is refused as well. */
	assert_int_equal(truncate(path, 8000), 0);
	replica_free(r);
	r = replica_new(w->notifier, &err);
	assert_int_equal(replica_load(r, path, &err), -1);
	assert_int_equal(replica_count(r, ENT_INSTANCE, NULL), 0);
	replica_free(r);
	unlink(path);
}

/* While an instance moves both members claim it for a moment. */
static void test_claims(void **state)
{
	struct world *w = *state;
	char member[64];
	_free_ char *now = NULL;

	replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", "1", false);
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", "1", false);
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "b", "2", false);
	now = replica_fact(w->r, FACT_INSTANCE, "c1", member);
	assert_string_equal(now, "2");
	assert_string_equal(member, "b");
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", NULL, false);
	assert_told(w, "a/c1=1 b/c1=2 ");
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", "3", false);
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "a", NULL, false);
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "b", NULL, false);
	assert_told(w, "a/c1=3 b/c1=2 b/c1=- ");
	assert_null(replica_fact(w->r, FACT_INSTANCE, "c1", NULL));
}

static void test_dirty(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(4096);

	replica_fact_put(w->r, FACT_INSTANCE, "c1", "me", "1", true);
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "me", "2", true);
	replica_fact_put(w->r, FACT_INSTANCE, "c2", "you", "9", false);
	assert_true(replica_take_dirty(w->r, "me", 1, collect_fact, &b));
	assert_string_equal(b.data, "me/c1=2 ");
	assert_false(replica_take_dirty(w->r, "me", 1, collect_fact, &b));
	replica_fact_put(w->r, FACT_INSTANCE, "c1", "me", NULL, true);
	sbuf_reset(&b);
	assert_true(replica_take_dirty(w->r, "me", 1, collect_fact, &b));
	assert_string_equal(b.data, "me/c1=- ");
	replica_facts_rename(w->r, "you", "them");
	sbuf_reset(&b);
	replica_each_fact(w->r, FACT_INSTANCE, collect_fact, &b);
	assert_string_equal(b.data, "them/c2=9 ");
}

static void test_done(void **state)
{
	struct done *d = done_new();
	char id[33];
	int64_t rev;
	bool burnt;

	for (int i = 1; i <= 2000; i++) {
		snprintf(id, sizeof(id), "%032x", i);
		done_add(d, id, i, i % 2);
	}
	assert_true(done_find(d, id, &rev, &burnt));
	assert_int_equal(rev, 2000);
	assert_false(burnt);
	done_forget(d, 1999);
	assert_true(done_find(d, id, &rev, &burnt));
	snprintf(id, sizeof(id), "%032x", 1999);
	assert_false(done_find(d, id, &rev, &burnt));
	assert_false(done_find(d, "short", &rev, &burnt));
	done_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_facts_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dirty, setup, teardown),
		cmocka_unit_test(test_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
