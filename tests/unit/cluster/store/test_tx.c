/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/schema.h"
#include "cluster/store/tx.h"
#include "tests/unit/base/random.h"

static struct tx *decode(const char *text, struct err *err)
{
	_json_ json_t *j = json_parse(text, strlen(text), "text", err);

	return j ? tx_decode(j, err) : NULL;
}

static char *text_of(const struct tx *t)
{
	struct sbuf b = SBUF(1 << 20);

	tx_append(&b, t);
	return sbuf_take(&b);
}

static void new_ones_have_ids_of_their_own(void **state)
{
	_tx_ struct tx *a = tx_new(), *b = tx_new();

	assert_true(str_is_hex(a->id, TX_ID_SIZE - 1));
	assert_string_not_equal(a->id, b->id);
	assert_int_equal(a->fate, TX_HELD);
	assert_int_equal(a->n, 0);
}

static void references_are_counted(void **state)
{
	struct tx *t = tx_new(), *same = tx_ref(t);

	assert_ptr_equal(t, same);
	tx_free(t);
	tx_delete(same, ENT_INSTANCE, "c1", REV_ANY);
	assert_int_equal(same->n, 1);
	tx_free(same);
	tx_free(NULL);
}

static void documents_are_copied(void **state)
{
	_json_ json_t *doc = json_pack("{s:s}", "a", "b");
	_tx_ struct tx *t = tx_new();
	char key[] = "c1";

	tx_put(t, ENT_INSTANCE, key, REV_NONE, doc);
	json_put_str(doc, "a", "changed");
	key[0] = 'x';
	assert_string_equal(t->v[0].key, "c1");
	assert_string_equal(t->v[0].doc, "{\"a\":\"b\"}");
	assert_true(t->bytes >= strlen("c1") + strlen(t->v[0].doc));
}

static void the_text_is_as_agreed(void **state)
{
	_json_ json_t *doc = json_pack("{s:s}", "a", "b\"c");
	_tx_ struct tx *t = tx_new();
	_free_ char *text = NULL;

	str_copy(t->id, sizeof(t->id), "0123456789abcdef0123456789abcdef");
	t->base = 7;
	tx_put(t, ENT_INSTANCE, "c1", REV_NONE, doc);
	tx_delete(t, ENT_PROFILE, "a \"b\"", 5);
	tx_check(t, ENT_POOL, "p", REV_ANY);
	tx_check_still(t, ENT_NETWORK, 9);
	text = text_of(t);
	assert_string_equal(
		text, "{\"id\":\"0123456789abcdef0123456789abcdef\",\"base\":7,\"changes\":["
		      "[\"put\",\"instances\",\"c1\",0,\"{\\\"a\\\":\\\"b\\\\\\\"c\\\"}\"],"
		      "[\"delete\",\"profiles\",\"a \\\"b\\\"\",5],[\"check\",\"pools\",\"p\",-1],"
		      "[\"still\",\"networks\",\"*\",9]]}");
}

static void expect_same(const struct tx *a, const struct tx *b)
{
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->base, b->base);
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->bytes, b->bytes);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->v[i].op, b->v[i].op);
		assert_int_equal(a->v[i].e, b->v[i].e);
		assert_int_equal(a->v[i].seen, b->v[i].seen);
		assert_string_equal(a->v[i].key, b->v[i].key);
		assert_true(str_eq(a->v[i].doc, b->v[i].doc));
	}
}

static struct tx *random_tx(struct random *r)
{
	struct tx *t = tx_new();
	char key[20], value[40];

	t->base = (int64_t)random_below(r, 1000000);
	for (size_t n = random_below(r, 12); n; n--) {
		enum entity e = random_below(r, ENT_MAX);
		int64_t seen = (int64_t)random_below(r, 50) - 1;
		_json_ json_t *doc = json_pack(
			"{s:s}", "v", random_text(r, "ab\"\\\n{}[]/", value, sizeof(value)));

		random_text(r, "abc/\"\\ ", key + 1, sizeof(key) - 1);
		key[0] = 'k';
		switch (random_below(r, 4)) {
		case 0:
			tx_delete(t, e, key, seen);
			break;
		case 1:
			tx_check(t, e, key, seen);
			break;
		case 2:
			tx_check_still(t, e, seen < 0 ? 0 : seen);
			break;
		default:
			tx_put(t, e, key, seen, doc);
		}
	}
	return t;
}

static void any_transaction_reads_back(void **state)
{
	struct random r = { 21 };

	for (int i = 0; i < 300; i++) {
		_tx_ struct tx *t = random_tx(&r), *back = NULL;
		_free_ char *text = text_of(t);
		struct err err = { 0 };

		back = decode(text, &err);
		if (!back)
			fail_msg("%s: %s", text, err.msg);
		expect_same(t, back);
		assert_int_equal(back->fate, TX_HELD);
	}
}

#define ID "\"id\":\"0123456789abcdef0123456789abcdef\""

static void malformed_texts_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{}", "an id and a list of changes are needed" },
		{ "[]", "an id and a list of changes are needed" },
		{ "{\"changes\":[]}", "an id and" },
		{ "{" ID "}", "an id and" },
		{ "{" ID ",\"changes\":{}}", "an id and" },
		{ "{\"id\":\"0123\",\"changes\":[]}", "an id and" },
		{ "{\"id\":\"0123456789ABCDEF0123456789abcdef\",\"changes\":[]}", "an id and" },
		{ "{" ID ",\"changes\":[1]}", "change 0 is malformed" },
		{ "{" ID ",\"changes\":[[]]}", "change 0 is malformed" },
		{ "{" ID ",\"changes\":[[\"check\",\"pools\",\"p\",1],[\"put\"]]}",
		  "change 1 is malformed" },
		{ "{" ID ",\"changes\":[[\"drop\",\"pools\",\"p\",1]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"check\",\"sqlite_master\",\"p\",1]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"check\",\"pools\",\"\",1]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"check\",\"pools\",\"p\"]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"check\",\"pools\",\"p\",\"1\"]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"check\",\"pools\",\"p\",-2]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"check\",\"pools\",\"p\",1,\"{}\"]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"delete\",\"pools\",\"p\",1,\"{}\"]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"put\",\"pools\",\"p\",1]]}", "malformed" },
		{ "{" ID ",\"changes\":[[\"put\",\"pools\",\"p\",1,{}]]}", "malformed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		struct tx *t = decode(cases[i].text, &err);

		if (t)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.msg);
	}
}

static void a_base_may_be_missing(void **state)
{
	struct err err = { 0 };
	_tx_ struct tx *t = decode("{" ID ",\"changes\":[]}", &err);

	assert_non_null(t);
	assert_int_equal(t->base, 0);
	assert_int_equal(t->n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ones_have_ids_of_their_own),
		cmocka_unit_test(references_are_counted),
		cmocka_unit_test(documents_are_copied),
		cmocka_unit_test(the_text_is_as_agreed),
		cmocka_unit_test(any_transaction_reads_back),
		cmocka_unit_test(malformed_texts_are_refused),
		cmocka_unit_test(a_base_may_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
