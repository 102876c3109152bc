/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/base/key_rows.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *check_even(const char *text)
{
	return strchr("02468", text[strlen(text) - 1]) ? NULL : "must end in an even digit";
}

struct pair {
	int64_t a, b;
};

static int parse_pair(const char *text, void *ret, struct err *err)
{
	_free_ char *copy = xstrdup(text);
	struct pair p;
	char *part[2];

	if (str_split(copy, ':', part, 2) != 2 || !str_to_i64(part[0], 0, 9, &p.a) ||
	    !str_to_i64(part[1], 0, 9, &p.b))
		return err_set(err, ERR_INVALID, "must be A:B");
	if (ret)
		*(struct pair *)ret = p;
	return 0;
}

static const struct key rows[] = {
#define KEY(...) KEY_ROW(__VA_ARGS__)
	/* clang-format off */
	KEY(any,  "user.*",     TEXT,                NULL,   UNREAD, "free")
	KEY(car,  "fast",       BOOL,                "yes",  LIVE,   "how it goes")
	KEY(car,  "doors",      NUMBER(1, 5),        NULL,   CREATE, "how one gets in")
	KEY(car,  "seats",      NUMBER(0, 9),        "4",    CREATE, "for how many")
	KEY(car,  "fuel",       WORDS("gas", "sun", "air"), "gas", START, "what drives it")
	KEY(car,  "plate.even", CHECKED(check_even), NULL,   LIVE,   "a number")
	KEY(car,  "size",       PARSED(parse_pair),  "2:1",  LIVE,   "length and width")
	KEY(boat, "size",       NUMBER(1, 99),       NULL,   LIVE,   "length")
	KEY(boat, "sails",      NUMBER(1, 9),        NULL,   LIVE,   "what drives it")
/* clang-format on */
#undef KEY
						KEY_REFUSED(car, "wings", "cars do not fly") KEY_END
};
static const struct keys car = { rows, "car" }, boat = { rows, "boat" }, all = { rows, NULL };

static const struct key_value values[] = {
	{ &car, "plate.even", "12", true }, { &car, "plate.even", "13", false },
	{ &car, "size", "1:2", true },      { &car, "size", "12", false },
	{ &car, "fuel", "sun", true },      { &car, "fuel", "sunny", false },
	{ &car, "doors", "3", true },       { &car, "doors", "6", false },
	{ &car, "fast", "off", true },      { &car, "fast", "slow", false },
	{ &car, "user.a", "\x01", true },   { &car, "user.", "a", false },
	{ &car, "user.a b", "c", false },   { &car, "user.a=b", "c", false },
	{ &car, "wheels", "4", false },     { &car, "wings", "2", false },
	{ &boat, "size", "12", true },      { &boat, "size", "1:2", false },
	{ &boat, "fuel", "sun", false },    { &boat, "user.a", "b", true },
	{ &all, "doors", "2", true },       { &all, "wheels", "2", false },
};

static void test_values(void **state)
{
	keys_take(values, ARRAY_SIZE(values));
}

static void test_rows(void **state)
{
	keys_rows_hold(&car, values, ARRAY_SIZE(values));
	keys_rows_hold(&boat, values, ARRAY_SIZE(values));
}

static void test_find(void **state)
{
	assert_ptr_equal(keys_find(&boat, "size"), &rows[7]);
	assert_ptr_equal(keys_find(&car, "size"), &rows[6]);
	assert_ptr_equal(keys_find(&all, "size"), &rows[6]);
	assert_ptr_equal(keys_find(&boat, "user.x.y"), &rows[0]);
	assert_null(keys_find(&boat, "user."));
	assert_null(keys_find(&boat, "fast"));
	assert_null(keys_find(&car, "faster"));
	assert_string_equal(keys_find(&car, "wings")->refused, "cars do not fly");
}

/* The first scope that has all keys; what everybody has tells nothing. */
static void test_scope(void **state)
{
	static const struct {
		const char *keys[3], *scope;
	} cases[] = {
		{ { "doors" }, "car" },
		{ { "size" }, "car" },
		{ { "size", "user.a" }, "car" },
		{ { NULL }, "car" },
		{ { "speed" }, NULL },
		{ { "doors", "speed" }, NULL },
		{ { "wings" }, NULL },
		{ { "size", "sails" }, "boat" },
		{ { "sails" }, "boat" },
		{ { "sails", "doors" }, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *config = json_object();
		const char *scope;

		for (size_t k = 0; k < 3 && cases[i].keys[k]; k++)
			json_put_str(config, cases[i].keys[k], "1");
		scope = keys_scope_of(rows, config);
		if (!str_eq(scope, cases[i].scope))
			fail_msg("case %zu: %s", i, scope);
		if (!scope)
			continue;
		keys_put_type(rows, config);
		assert_string_equal(json_str(config, "type", ""), scope);
	}
}

static void test_sentence(void **state)
{
	static const struct {
		const char *key, *value, *sentence;
	} cases[] = {
		{ "fuel", "oil",
		  "thing \"t\": invalid value \"oil\" for key \"fuel\": must be gas, sun or air" },
		{ "doors", "6",
		  "thing \"t\": invalid value \"6\" for key \"doors\": must be a whole number from "
		  "1 to 5" },
		{ "fast", "2",
		  "thing \"t\": invalid value \"2\" for key \"fast\": must be true or false" },
		{ "size", "%s", "thing \"t\": invalid value \"%s\" for key \"size\": must be A:B" },
		{ "wings", "2", "thing \"t\": \"wings\" can't be set (to \"2\"): cars do not fly" },
		{ "wheels", "2", "thing \"t\": unknown configuration key \"wheels\"" },
	};

	struct err other = { 0 };

	assert_int_equal(key_try(&boat, "doors", "2", &other), -1);
	assert_string_equal(other.msg,
			    "thing \"t\": unknown configuration key \"doors\": it is one "
			    "of type car, and this is boat");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(key_try(&car, cases[i].key, cases[i].value, &err), -1);
		assert_string_equal(err.msg, cases[i].sentence);
	}
}

static void test_reading_what_is_set(void **state)
{
	_json_ json_t *config = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "fast", "no", "doors",
					  "3", "fuel", "air", "size", "7:8", "plate.even", "44",
					  "user.a", "b");
	struct pair size = { 0 };
	const char *word = NULL;
	bool fast = true;
	struct err err;

	assert_false(keys_bool(&car, config, "fast"));
	assert_int_equal(keys_number(&car, config, "doors"), 3);
	assert_string_equal(keys_text(&car, config, "fuel"), "air");
	assert_string_equal(keys_text(&car, config, "user.a"), "b");
	assert_string_equal(keys_text(&car, config, "size"), "7:8");
	assert_int_equal(keys_read(&car, config, "size", &size, &err), 1);
	assert_true(size.a == 7 && size.b == 8);
	assert_int_equal(keys_read(&car, config, "fast", &fast, &err), 1);
	assert_false(fast);
	assert_int_equal(keys_read(&car, config, "plate.even", &word, &err), 1);
	assert_string_equal(word, "44");
	assert_int_equal(keys_read(&car, config, "size", NULL, &err), 1);
}

/* Also where there is no configuration at all, and where a value is "". */
static void test_reading_defaults(void **state)
{
	_json_ json_t *empty = json_pack("{s:s, s:s, s:s}", "fast", "", "fuel", "", "doors", "");
	const json_t *configs[] = { NULL, empty };
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct pair size = { 0 };
		int64_t doors = 77;

		assert_true(keys_bool(&car, configs[i], "fast"));
		assert_string_equal(keys_text(&car, configs[i], "fuel"), "gas");
		assert_int_equal(keys_number(&car, configs[i], "seats"), 4);
		assert_int_equal(keys_number(&car, configs[i], "doors"), 0);
		assert_null(keys_text(&car, configs[i], "plate.even"));
		assert_null(keys_text(&car, configs[i], "user.a"));
		assert_int_equal(keys_read(&car, configs[i], "size", &size, &err), 1);
		assert_true(size.a == 2 && size.b == 1);
		assert_int_equal(keys_read(&car, configs[i], "doors", &doors, &err), 0);
		assert_int_equal(doors, 77);
	}
}

/* What an older version took. */
static void test_reading_what_is_wrong(void **state)
{
	_json_ json_t *config = json_pack("{s:s, s:s, s:s, s:s}", "fast", "perhaps", "doors",
					  "many", "size", "big", "seats", "-1");
	struct pair size = { 0 };
	struct err err = { 0 };

	assert_int_equal(keys_read(&car, config, "size", &size, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.msg, "invalid value \"big\" for key \"size\": must be A:B");
	assert_int_equal(size.a, 0);
	keys_get(&car, config, "size", &size);
	assert_true(size.a == 2 && size.b == 1);
	assert_true(keys_bool(&car, config, "fast"));
	assert_int_equal(keys_number(&car, config, "doors"), 0);
	assert_int_equal(keys_number(&car, config, "seats"), 4);
}

static void test_one_value(void **state)
{
	struct err err = { 0 };
	int64_t v = 9;

	assert_int_equal(keys_read_value(&car, "doors", "2", &v, &err), 1);
	assert_int_equal(v, 2);
	assert_int_equal(keys_read_value(&car, "doors", NULL, &v, &err), 0);
	assert_int_equal(keys_read_value(&car, "doors", "", &v, &err), 0);
	assert_int_equal(keys_read_value(&car, "doors", "9", &v, &err), -1);
	assert_int_equal(v, 2);
	assert_int_equal(keys_read_value(&car, "seats", NULL, &v, &err), 1);
	assert_int_equal(v, 4);
}

static void read_unknown(void)
{
	keys_text(&car, NULL, "wheels");
}

static void read_refused(void)
{
	keys_text(&car, NULL, "wings");
}

static void read_of_another_scope(void)
{
	keys_read(&boat, NULL, "doors", NULL, &(struct err){ 0 });
}

static void read_number_as_bool(void)
{
	keys_bool(&car, NULL, "doors");
}

static void read_bool_as_number(void)
{
	keys_number(&car, NULL, "fast");
}

/* Only a bug does so: it ends the process. */
static void test_reading_what_is_no_key(void **state)
{
	void (*const bugs[])(void) = { read_unknown, read_refused, read_of_another_scope,
				       read_number_as_bool, read_bool_as_number };

	for (size_t i = 0; i < ARRAY_SIZE(bugs); i++) {
		pid_t child = fork();
		int status = 0;

		if (child == 0) {
			signal(SIGABRT, SIG_DFL);
			close(STDERR_FILENO);
			bugs[i]();
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

/* Clients send numbers and booleans, and "" or null to unset. */
static void test_cleaning(void **state)
{
	_json_ json_t *config = json_pack("{s:b, s:i, s:s, s:n, s:s}", "fast", 1, "doors", 5,
					  "size", "", "user.a", "user.b", "x");
	_json_ json_t *nested = json_pack("{s:{}}", "user.a");
	struct err err = { 0 };

	assert_int_equal(keys_check(&car, "t", config, NULL, &err), 0);
	assert_int_equal(json_object_size(config), 3);
	assert_string_equal(json_str(config, "fast", ""), "true");
	assert_string_equal(json_str(config, "doors", ""), "5");
	assert_int_equal(keys_check(&car, "t", nested, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

/* Also to set it where it was unset; to say again what it is does no harm. */
static void test_only_when_created(void **state)
{
	_json_ json_t *old = json_pack("{s:s}", "doors", "2");
	static const struct {
		const char *key, *value;
		bool ok;
	} changes[] = {
		{ "doors", "2", true },  { "doors", "3", false }, { "doors", "", true },
		{ "seats", "5", false }, { "fast", "no", true },  { "doors", "9", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		_json_ json_t *config = json_pack("{s:s}", changes[i].key, changes[i].value);
		_json_ json_t *fresh = json_deep_copy(config);
		struct err err = { 0 };

		if ((keys_check(&car, "t", config, old, &err) == 0) != changes[i].ok)
			fail_msg("%s=%s", changes[i].key, changes[i].value);
		if (i == 1)
			assert_string_equal(err.msg, "t: \"doors\" can't be changed (to \"3\"): it "
						     "counts only when something is created");
		if (i != 5)
			assert_int_equal(keys_check(&car, "t", fresh, NULL, &err), 0);
	}
}

/* What an older version took is in no other key's way; to change it is to have it checked. */
static void test_kept_values(void **state)
{
	_json_ json_t *old = json_pack("{s:s, s:s}", "doors", "two", "no.such.key", "1");
	_json_ json_t *config =
		json_pack("{s:s, s:s, s:s}", "doors", "two", "no.such.key", "1", "user.a", "b");
	struct err err = { 0 };

	assert_int_equal(keys_check(&car, "t", config, NULL, &err), -1);
	assert_int_equal(keys_check(&car, "t", config, old, &err), 0);
	json_put_str(config, "doors", "three");
	assert_int_equal(keys_check(&car, "t", config, old, &err), -1);
	assert_non_null(strstr(err.msg, "three"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_sentence),
		cmocka_unit_test(test_reading_what_is_set),
		cmocka_unit_test(test_reading_defaults),
		cmocka_unit_test(test_reading_what_is_wrong),
		cmocka_unit_test(test_one_value),
		cmocka_unit_test(test_reading_what_is_no_key),
		cmocka_unit_test(test_cleaning),
		cmocka_unit_test(test_kept_values),
		cmocka_unit_test(test_only_when_created),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
