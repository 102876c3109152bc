/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"

static const char *const headers[] = { "NAME", "STATE", "IPV4" };

static struct table *sample(void)
{
	struct table *t = table_new(ARRAY_SIZE(headers), headers);

	table_add(t, (char *[]){ xstrdup("web2"), xstrdup("STOPPED"), NULL });
	table_add(t, (char *[]){ xstrdup("web1"), xstrdup("RUNNING"),
				 xstrdup("10.0.0.2 (eth0)\n10.1.0.2 (eth1)") });
	table_sort(t);
	return t;
}

static void renders(void **state)
{
	static const struct {
		enum fmt_kind kind;
		const char *text;
	} cases[] = {
		{ FMT_TABLE, "+------+---------+-----------------+\n"
			     "| NAME |  STATE  |      IPV4       |\n"
			     "+------+---------+-----------------+\n"
			     "| web1 | RUNNING | 10.0.0.2 (eth0) |\n"
			     "|      |         | 10.1.0.2 (eth1) |\n"
			     "+------+---------+-----------------+\n"
			     "| web2 | STOPPED |                 |\n"
			     "+------+---------+-----------------+\n" },
		{ FMT_COMPACT, "  NAME  STATE    IPV4\n"
			       "  web1  RUNNING  10.0.0.2 (eth0)\n"
			       "                 10.1.0.2 (eth1)\n"
			       "  web2  STOPPED\n" },
		{ FMT_CSV, "web1,RUNNING,\"10.0.0.2 (eth0)\n10.1.0.2 (eth1)\"\nweb2,STOPPED,\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_table_ struct table *t = sample();
		_sbuf_ struct sbuf b = SBUF(1 << 16);

		table_render(&b, t, cases[i].kind);
		assert_string_equal(b.data, cases[i].text);
	}
}

static void sorts_as_people_do(void **state)
{
	static const char *const order[] = { "a",   "n1",    "n01",    "n2",
					     "n10", "n10a2", "n10a10", "z" };
	_table_ struct table *t = table_new(1, headers);
	_sbuf_ struct sbuf b = SBUF(1 << 12);

	for (size_t i = ARRAY_SIZE(order); i > 0; i--)
		table_add(t, (char *[]){ xstrdup(order[i - 1]) });
	table_sort(t);
	table_render(&b, t, FMT_CSV);
	assert_string_equal(b.data, "a\nn01\nn1\nn2\nn10\nn10a2\nn10a10\nz\n");
}

static void counts_columns_of_the_terminal(void **state)
{
	_table_ struct table *t = table_new(1, headers);
	_sbuf_ struct sbuf b = SBUF(1 << 12);

	table_add(t, (char *[]){ xstrdup("e\xcc\x81t") });
	table_add(t, (char *[]){ xstrdup("\xe6\xbc\xa2\xe5\xad\x97z") });
	table_add(t, (char *[]){ xstrdup("\xf0\x9f\x90\xb3") });
	table_add(t, (char *[]){ xstrdup("\xff") });
	table_render(&b, t, FMT_TABLE);
	assert_non_null(strstr(b.data, "| e\xcc\x81t    |\n"));
	assert_non_null(strstr(b.data, "| \xe6\xbc\xa2\xe5\xad\x97z |\n"));
	assert_non_null(strstr(b.data, "| \xf0\x9f\x90\xb3    |\n"));
	assert_non_null(strstr(b.data, "| \xff     |\n"));
}

static void renders_without_rows(void **state)
{
	_table_ struct table *t = table_new(1, headers);
	_sbuf_ struct sbuf b = SBUF(1 << 16), csv = SBUF(16);

	table_render(&b, t, FMT_TABLE);
	assert_string_equal(b.data, "+------+\n| NAME |\n+------+\n");
	table_render(&csv, t, FMT_CSV);
	assert_int_equal(csv.len, 0);
}

static void quotes_csv(void **state)
{
	_table_ struct table *t = table_new(2, headers);
	_sbuf_ struct sbuf b = SBUF(1 << 16);

	table_add(t, (char *[]){ xstrdup("a,b"), xstrdup("say \"x\"") });
	table_render(&b, t, FMT_CSV);
	assert_string_equal(b.data, "\"a,b\",\"say \"\"x\"\"\"\n");
}

static void counts_characters(void **state)
{
	_table_ struct table *t = table_new(1, headers);
	_sbuf_ struct sbuf b = SBUF(1 << 16);

	table_add(t, (char *[]){ xstrdup("caf\303\251\303\251") });
	table_render(&b, t, FMT_TABLE);
	assert_string_equal(b.data, "+-------+\n| NAME  |\n+-------+\n"
				    "| caf\303\251\303\251 |\n+-------+\n");
}

static void knows_formats(void **state)
{
	struct err err = { 0 };
	enum fmt_kind k;

	assert_int_equal(fmt_parse(NULL, &k, &err), 0);
	assert_int_equal(k, FMT_TABLE);
	assert_int_equal(fmt_parse("yaml", &k, &err), 0);
	assert_int_equal(k, FMT_YAML);
	assert_int_equal(fmt_parse("xml", &k, &err), -1);
	assert_non_null(strstr(err.msg, "xml"));
}

static void prints_times_and_sizes(void **state)
{
	_free_ char *t = fmt_time("2026-11-23T11:30:03.304421849Z");
	_free_ char *never = fmt_time("0001-01-01T00:00:00Z");
	_free_ char *iec = fmt_size_iec(827392), *si = fmt_size_si(1234567), *b = fmt_size_iec(12);

	assert_string_equal(t, "2026/11/23 11:30 UTC");
	assert_string_equal(never, "");
	assert_string_equal(iec, "808.00KiB");
	assert_string_equal(si, "1.23MB");
	assert_string_equal(b, "12B");
}

static void shapes_objects(void **state)
{
	_json_ json_t *obj = json_pack("{s:{s:i,s:b,s:s},s:s,s:s}", "config", "b", 2, "c", 1, "a",
				       "x", "name", "n", "description", "");
	_json_ json_t *picked = pick_fields(obj, "description config missing");
	_json_ json_t *sorted = NULL;
	_free_ char *text = NULL;

	config_to_strings(picked);
	sorted = config_sorted(picked);
	text = json_text(sorted);
	assert_string_equal(text, "{\"description\":\"\",\"config\":{\"a\":\"x\",\"b\":\"2\","
				  "\"c\":\"true\"}}");
	assert_true(word_in("config devices", "devices"));
	assert_false(word_in("config devices", "dev"));
	assert_false(word_in("config devices", ""));
}

static void names_from_urls(void **state)
{
	_free_ char *a = url_name("/1.0/instances/c1?project=p");
	_free_ char *b = url_name("/1.0/images/aliases/web%2Fold");
	_free_ char *path = api_query(api_path("images/aliases/%s", "a/b c"), "target", "n1&x");
	_free_ char *plain = api_query(api_path("profiles"), "target", NULL);

	assert_string_equal(a, "c1");
	assert_string_equal(b, "web/old");
	assert_string_equal(path, "/1.0/images/aliases/a%2Fb%20c?target=n1%26x");
	assert_string_equal(plain, "/1.0/profiles");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders),        cmocka_unit_test(renders_without_rows),
		cmocka_unit_test(sorts_as_people_do),
		cmocka_unit_test(counts_columns_of_the_terminal),
		cmocka_unit_test(quotes_csv),     cmocka_unit_test(counts_characters),
		cmocka_unit_test(knows_formats),  cmocka_unit_test(prints_times_and_sizes),
		cmocka_unit_test(shapes_objects), cmocka_unit_test(names_from_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
