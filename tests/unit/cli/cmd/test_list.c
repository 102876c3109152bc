/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/list.h"
#include "cli/commands.h"
#include "cli/form/fmt.h"

/* As the table prints them, as CSV. */
static char *shown(const char *words, const char *columns, const char *items, const char *filter)
{
	const struct list *l = list_of(words);
	_json_ json_t *all = json_loads(items, 0, NULL), *kept = NULL;
	_cleanup_(list_choice_done) struct list_choice ch = { 0 };
	_sbuf_ struct sbuf b = SBUF(1 << 16);
	_table_ struct table *t = NULL;
	struct err err = { 0 };

	assert_non_null(l);
	assert_non_null(all);
	if (list_choose(l, columns ? columns : l->letters, &ch, &err) < 0)
		return xstrdup(err.msg);
	kept = list_filtered(l, all, &filter, filter ? 1 : 0);
	t = list_table(l, &ch, kept);
	table_render(&b, t, FMT_CSV);
	return xstrdup(b.data ? b.data : "");
}

static const char instances[] =
	"[{\"name\": \"web10\", \"status\": \"Running\", \"type\": \"container\", "
	"\"ephemeral\": true, \"location\": \"m1\", \"architecture\": \"x86_64\", "
	"\"profiles\": [\"default\", \"web\"], "
	"\"dunlin_move\": {\"kind\": \"near-live\", \"reason\": \"it has a debugger\"}, "
	"\"config\": {\"volatile.base_image\": \"0123456789abcdef\"}, "
	"\"expanded_config\": {\"user.role\": \"front\", \"limits.memory\": \"1MiB\"}, "
	"\"expanded_devices\": {\"root\": {\"pool\": \"fast\"}}, "
	"\"state\": {\"pid\": 42, \"processes\": 3, \"cpu\": {\"usage\": 2500000000}, "
	"\"memory\": {\"usage\": 524288}, \"disk\": {\"root\": {\"usage\": 1024}}, "
	"\"network\": {\"lo\": {\"type\": \"loopback\", \"addresses\": [{\"family\": \"inet\", "
	"\"address\": \"127.0.0.1\", \"scope\": \"local\"}]}, "
	"\"eth0\": {\"type\": \"broadcast\", \"addresses\": ["
	"{\"family\": \"inet\", \"address\": \"10.0.0.2\", \"scope\": \"global\"}, "
	"{\"family\": \"inet6\", \"address\": \"fe80::1\", \"scope\": \"link\"}, "
	"{\"family\": \"inet6\", \"address\": \"fd00::2\", \"scope\": \"global\"}]}}}}, "
	"{\"name\": \"web2\", \"status\": \"Stopped\", \"location\": \"m2\", \"state\": null}]";

static void lists_instances(void **state)
{
	static const struct {
		const char *columns, *filter, *text;
	} cases[] = {
		{ "ns", NULL, "web2,STOPPED\nweb10,RUNNING\n" },
		{ "n46", NULL, "web2,,\nweb10,10.0.0.2 (eth0),fd00::2 (eth0)\n" },
		{ "nt", NULL, "web2,CONTAINER\nweb10,CONTAINER (EPHEMERAL)\n" },
		{ "nbfF", "web10", "web10,fast,0123456789ab,0123456789abcdef\n" },
		{ "nDmMNpu", NULL, "web2,,,,,,\nweb10,1.00KiB,512.00KiB,50.0%,3,42,2s\n" },
		{ "nP", "web10", "web10,\"default\nweb\"\n" },
		{ "n,user.role", NULL, "web2,\nweb10,front\n" },
		/* A server that is not ours says nothing. */
		{ "nvw", NULL, "web2,,\nweb10,near-live,it has a debugger\n" },
		{ "n", "moves=near-live", "web10\n" },
		{ "n", "moves=live", "" },
		{ "n", "web", "web2\nweb10\n" },
		{ "n", "status=running", "web10\n" },
		{ "n", "state=STOPPED", "web2\n" },
		{ "n", "arch=x86_.*", "web10\n" },
		{ "n", "user.role=f.*", "web10\n" },
		{ "n", "user.none=x", "" },
		{ "n", "eb2", "" },
		{ "n", ".*2", "web2\n" },
		{ "n", "([", "" },
		{ "", NULL, "no column to print" },
		{ ",", NULL, "no column to print" },
		{ "n?", NULL, "unknown column '?' (see dunlin list --help)" },
		{ "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", NULL, "more than 40 columns" },
		{ "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn,user.x", NULL, "more than 40 columns" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = shown("list", cases[i].columns, instances, cases[i].filter);

		assert_string_equal(text, cases[i].text);
	}
}

static void titles_columns_of_keys(void **state)
{
	static const struct {
		const char *columns, *header;
	} cases[] = {
		{ "user.role", "USER.ROLE" },
		{ "user.role:", "USER.ROLE" },
		{ "user.role:Role", "Role" },
		{ "user.role:Role:20", "Role" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(list_choice_done) struct list_choice ch = { 0 };
		struct err err = { 0 };

		assert_int_equal(list_choose(list_of("list"), cases[i].columns, &ch, &err), 0);
		assert_int_equal(ch.n, 1);
		assert_string_equal(ch.v[0].header, cases[i].header);
		assert_int_equal(ch.need, OBJECT);
	}
}

static void asks_for_what_is_shown(void **state)
{
	static const struct {
		const char *columns;
		enum need need;
	} cases[] = { { "nsL", OBJECT }, { "ns4", STATE }, { "4m", USAGE }, { "mD4", DISK } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(list_choice_done) struct list_choice ch = { 0 };
		struct err err = { 0 };

		assert_int_equal(list_choose(list_of("list"), cases[i].columns, &ch, &err), 0);
		assert_int_equal(ch.need, cases[i].need);
	}
}

static void lists_other_things(void **state)
{
	static const struct {
		const char *words, *columns, *filter, *items, *text;
	} cases[] = {
		{ "profile list", NULL, NULL,
		  "[{\"name\": \"p10\", \"used_by\": [\"x\"]}, {\"name\": \"p9\", "
		  "\"description\": \"d\"}]",
		  "p9,d,0\np10,,1\n" },
		{ "network list", NULL, NULL,
		  "[{\"name\": \"br0\", \"type\": \"bridge\", \"managed\": true, \"config\": "
		  "{\"ipv4.address\": \"10.1.0.1/24\"}, \"status\": \"Created\"}]",
		  "br0,bridge,YES,10.1.0.1/24,,,0,CREATED\n" },
		{ "network list-leases", NULL, NULL,
		  "[{\"hostname\": \"c\", \"hwaddr\": \"aa\", \"address\": \"10.0.0.1\", "
		  "\"type\": \"static\", \"location\": \"none\"}]",
		  "c,aa,10.0.0.1,STATIC\n" },
		{ "network list-leases", NULL, NULL,
		  "[{\"hostname\": \"c\", \"location\": \"m1\"}, {\"hostname\": \"b\"}]",
		  "b,,,,\nc,,,,m1\n" },
		{ "network list-leases", NULL, NULL, "[]", "" },
		{ "image list", "lfps", NULL,
		  "[{\"fingerprint\": \"0123456789abcdef\", \"aliases\": [{\"name\": \"a\"}, "
		  "{\"name\": \"b\"}], \"public\": true, \"size\": 1500000}]",
		  "a (1 more),0123456789ab,yes,1.50MB\n" },
		{ "image list", "L", "os=DEBIAN",
		  "[{\"aliases\": [{\"name\": \"a\"}, {\"name\": \"b\"}], \"properties\": "
		  "{\"os\": \"debian\"}}, {\"aliases\": [{\"name\": \"c\"}]}]",
		  "\"a\nb\"\n" },
		{ "image list", "l", "EB",
		  "[{\"aliases\": [{\"name\": \"web\"}]}, {\"aliases\": [{\"name\": \"db\"}]}]",
		  "web\n" },
		{ "image list", "u", NULL, "[{\"uploaded_at\": \"2026-11-23T11:30:00Z\"}]",
		  "\"Nov 23, 2026 at 11:30am (UTC)\"\n" },
		{ "image list", "user.x", NULL, "[]",
		  "unknown column 'e' (see dunlin image list --help)" },
		{ "image alias list", NULL, "01",
		  "[{\"name\": \"a\", \"target\": \"0123456789abcdef\"}, {\"name\": \"b\", "
		  "\"target\": \"ff\"}, {\"name\": \"x01\", \"target\": \"ff\"}]",
		  "a,0123456789ab,CONTAINER,\nx01,ff,CONTAINER,\n" },
		{ "config trust list", NULL, NULL,
		  "[{\"type\": \"client\", \"name\": \"me\", \"certificate\": \"junk\", "
		  "\"fingerprint\": \"cdcdcdcdcdcdcdcd\"}]",
		  "client,me,,cdcdcdcdcdcd,,\n" },
		{ "cluster list", NULL, NULL,
		  "[{\"server_name\": \"m1\", \"url\": \"https://a\", \"roles\": [\"x\", \"y\"], "
		  "\"status\": \"Online\"}]",
		  "m1,https://a,\"x\ny\",,,,ONLINE,\n" },
		{ "operation list", NULL, NULL,
		  "[{\"id\": \"1\", \"class\": \"task\", \"status\": \"Running\", "
		  "\"may_cancel\": true, \"location\": \"none\"}]",
		  "1,TASK,,RUNNING,YES,\n" },
		{ "project list", NULL, NULL,
		  "[{\"name\": \"default\", \"config\": {\"features.images\": \"true\"}}]",
		  "default,YES,NO,NO,NO,,0\n" },
		{ "warning list", NULL, NULL,
		  "[{\"uuid\": \"u\", \"status\": \"new\", \"severity\": \"low\", \"count\": 3}]",
		  "u,,NEW,LOW,3,,,\n" },
		{ "file list", NULL, NULL, "[\"b\", \"a10\", \"a9\"]", "a9\na10\nb\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text =
			shown(cases[i].words, cases[i].columns, cases[i].items, cases[i].filter);

		assert_string_equal(text, cases[i].text);
	}
}

/* Each command that runs c_list() has its row, and what its row asks for is there. */
static void has_a_row_for_each_command(void **state)
{
	size_t n = 0;

	for (const struct cmd *cmd = commands.cmds; cmd->words; cmd++) {
		const struct list *l = list_of(cmd->words);

		assert_int_equal(l != NULL, cmd->run == c_list);
		if (!l)
			continue;
		n++;
		assert_non_null(l->columns[0].header);
		assert_true(l->path || l->fetch);
		assert_int_equal(l->path && strstr(l->path, "%s"), l->of != NULL);
		assert_int_equal(l->passes != NULL, cmd->max == -1);
		assert_int_equal(strstr(cmd->opts, "columns") != NULL,
				 l->letters != NULL || l->choose != NULL);
		for (const struct column *col = l->columns; col->header; col++)
			assert_true(col->cell && col->field && *col->header);
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_instances),
		cmocka_unit_test(titles_columns_of_keys),
		cmocka_unit_test(asks_for_what_is_shown),
		cmocka_unit_test(lists_other_things),
		cmocka_unit_test(has_a_row_for_each_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
