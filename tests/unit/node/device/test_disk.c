/* SPDX-License-Identifier: Apache-2.0 */
/* Disks: which options go together, and the place that one takes. What one is in a container that
 * runs is tried in one (tests/unit/node/container/test_update.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/device/device.h"

static json_t *parsed(const char *text)
{
	struct err err;
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

#define OWN(path, name) \
	"it: invalid value \"" path "\" for key \"path\": the container has its own \"" name "\""

static void options_that_do_not_go_together(void **state)
{
	static const struct {
		const char *options, *wrong; /* NULL: nothing */
		enum err_kind kind;
	} cases[] = {
		{ "{\"path\":\"/a\",\"source\":\"/b\"}", NULL, ERR_NONE },
		{ "{\"path\":\"/\",\"pool\":\"p\"}", NULL, ERR_NONE },
		/* the default says nothing about the root */
		{ "{\"path\":\"/\",\"pool\":\"p\",\"readonly\":\"false\"}", NULL, ERR_NONE },
		{ "{\"path\":\"/device\",\"source\":\"/b\"}", NULL, ERR_NONE },
		{ "{\"path\":\"/dev/shm\",\"source\":\"/b\"}", NULL, ERR_NONE },
		{ "{\"source\":\"/b\"}", "it: a disk needs \"path\"", ERR_INVALID },
		{ "{\"path\":\"/dev\",\"source\":\"/b\"}", OWN("/dev", "/dev"), ERR_INVALID },
		{ "{\"path\":\"/proc//\",\"source\":\"/b\"}", OWN("/proc//", "/proc"),
		  ERR_INVALID },
		{ "{\"path\":\"/sys\",\"source\":\"/b\"}", OWN("/sys", "/sys"), ERR_INVALID },
		{ "{\"path\":\"/\"}", "it: the root disk needs \"pool\"", ERR_INVALID },
		{ "{\"path\":\"/\",\"pool\":\"p\",\"source\":\"/b\"}",
		  "it: the root disk takes no \"source\" (here \"/b\")", ERR_INVALID },
		{ "{\"path\":\"/\",\"pool\":\"p\",\"readonly\":\"true\"}",
		  "it: the root disk takes no \"readonly\" (here \"true\")", ERR_INVALID },
		{ "{\"path\":\"/\",\"pool\":\"p\",\"shift\":\"true\"}",
		  "it: the root disk takes no \"shift\" (here \"true\")", ERR_INVALID },
		{ "{\"path\":\"/\",\"pool\":\"p\",\"required\":\"false\"}",
		  "it: the root disk takes no \"required\" (here \"false\")", ERR_INVALID },
		{ "{\"path\":\"/a\",\"pool\":\"p\",\"source\":\"v\"}",
		  "it: custom storage volumes are not implemented", ERR_UNSUPPORTED },
		{ "{\"path\":\"/a\"}",
		  "it: a disk needs an absolute path of the host as \"source\"", ERR_INVALID },
		{ "{\"path\":\"/a\",\"source\":\"b\"}",
		  "it: a disk needs an absolute path of the host as \"source\"", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *options = parsed(cases[i].options);
		struct err err = { 0 };
		int rc = device_disk.check("it", "d", options, &err);

		if ((rc < 0) != (cases[i].wrong != NULL) || err.kind != cases[i].kind ||
		    (rc < 0 && !str_starts(err.msg, cases[i].wrong)))
			fail_msg("%s: %s", cases[i].options, rc < 0 ? err.msg : "taken");
	}
}

/* However it is written, a path is one place. */
static void takes_one_place(void **state)
{
	static const struct {
		const char *options, *place;
	} cases[] = {
		{ "{\"path\":\"/a\"}", "path \"/a\"" },    { "{\"path\":\"/a/\"}", "path \"/a\"" },
		{ "{\"path\":\"/a///\"}", "path \"/a\"" }, { "{\"path\":\"/\"}", "path \"/\"" },
		{ "{\"path\":\"//\"}", "path \"/\"" },     { "{}", "path \"\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *options = parsed(cases[i].options);
		_free_ char *place = device_disk.place("d", options);

		assert_string_equal(place, cases[i].place);
	}
}

static char *line_of(const char *dev, struct err *err)
{
	_json_ json_t *j = parsed(dev);
	struct sbuf out = SBUF(65536);
	struct device_conf c = { .use = DEVICE_START, .lxcpath = "/l", .name = "c1", .out = &out };

	if (device_disk.conf(&c, j, err) == 0)
		return sbuf_take(&out);
	sbuf_free(&out);
	return NULL;
}

#define AT(path, options) "lxc.mount.entry = /l/c1/stage/dev-d " path " none bind," options " 0 0\n"

/* Fields of fstab(5): a blank in a path ends none. */
static void is_a_line_of_the_configuration(void **state)
{
	static const struct {
		const char *dev, *line;
	} cases[] = {
		{ "{\"device\":\"d\",\"source\":\"/\",\"path\":\"/a\"}", AT("a", "create=dir") },
		{ "{\"device\":\"d\",\"source\":\"/\",\"path\":\"//a b\\\\#c\"}",
		  AT("a\\040b\\134\\043c", "create=dir") },
		{ "{\"device\":\"d\",\"source\":\"/proc/self/stat\",\"path\":\"/a\","
		  "\"readonly\":true}",
		  AT("a", "ro,create=file") },
		{ "{\"device\":\"d\",\"source\":\"/nowhere/x\",\"path\":\"/a\",\"required\":false}",
		  "" },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *line = line_of(cases[i].dev, &err);

		assert_string_equal(line ? line : "", cases[i].line);
	}
	assert_null(line_of("{\"device\":\"d\",\"source\":\"/\",\"path\":\"/\"}", &err));
	assert_string_equal(err.msg, "not a path inside");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_that_do_not_go_together),
		cmocka_unit_test(takes_one_place),
		cmocka_unit_test(is_a_line_of_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
