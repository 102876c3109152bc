/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms are read back as they were written, and no two objects share one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"

static const struct {
	const char *project, *name, *text, *url;
} forms[] = {
	{ PROJECT_DEFAULT, "c1", "c1", "/1.0/instances/c1" },
	{ PROJECT_DEFAULT, "alpine/3.18", "alpine/3.18", "/1.0/instances/alpine/3.18" },
	{ PROJECT_DEFAULT, "a b", "a b", "/1.0/instances/a%20b" },
	{ "web", "c1", "web~c1", "/1.0/instances/c1?project=web" },
	{ "web", "alpine/3.18", "web~alpine/3.18", "/1.0/instances/alpine/3.18?project=web" },
	{ "a b", "c1", "a b~c1", "/1.0/instances/c1?project=a%20b" },
	/* What a client may send, but no object can bear. */
	{ PROJECT_DEFAULT, "web~c1", "default~web~c1", "/1.0/instances/web~c1" },
	{ "web", "x~c1", "web~x~c1", "/1.0/instances/x~c1?project=web" },
	{ PROJECT_DEFAULT, "~", "default~~", "/1.0/instances/~" },
	{ "web", "", "web~", "/1.0/instances/?project=web" },
};

static void a_text_form_is_read_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_free_ char *text = ref_text(forms[i].project, forms[i].name);
		struct ref ref = ref_of(text);

		assert_string_equal(text, forms[i].text);
		assert_string_equal(ref.project, forms[i].project);
		assert_string_equal(ref.name, forms[i].name);
	}
}

static void no_two_refs_share_a_text_form(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(forms[i].text, forms[k].text);
	}
}

/* "project" too long to be one: nothing is cut off. */
static void an_object_means_rows_of_its_project(void **state)
{
	assert_true(ref_means("c1", ENT_PROFILE, "small", "small"));
	assert_true(ref_means("web~c1", ENT_PROFILE, "small", "web~small"));
	assert_false(ref_means("web~c1", ENT_PROFILE, "small", "small"));
	assert_false(ref_means("c1", ENT_PROFILE, "web~small", "web~small"));
	assert_true(ref_means("web~c1", ENT_POOL, "small", "small"));
}

static void a_network_has_an_interface_of_its_own(void **state)
{
	static const char *const texts[] = { "abcdefghijklmno", "web~abcdefghijklmno",
					     "we~abcdefghijklmno", "web~abcdefghijklmn" };
	char names[ARRAY_SIZE(texts)][REF_IFNAME_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_true(str_is_ifname(ref_ifname(texts[i], names[i])));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
	}
	assert_string_equal(names[0], texts[0]);
}

static void a_project_has_an_end(void **state)
{
	char text[PROJECT_SIZE + 3];
	struct ref ref;

	memset(text, 'p', sizeof(text));
	memcpy(text + PROJECT_SIZE, "~c", 3);
	ref = ref_of(text);
	assert_string_equal(ref.project, PROJECT_DEFAULT);
	assert_ptr_equal(ref.name, text);
	ref = ref_of(text + 1);
	assert_int_equal(strlen(ref.project), PROJECT_SIZE - 1);
	assert_string_equal(ref.name, "c");
}

static void a_url_says_the_project(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_free_ char *url = ref_url("instances", forms[i].text);
		char project[PROJECT_SIZE];

		assert_string_equal(url, forms[i].url);
		ref_project_of_url(url, project);
		assert_string_equal(project, forms[i].project);
	}
}

static void what_belongs_to_an_object_is_in_its_project(void **state)
{
	_free_ char *log = ref_add_project("/1.0/instances/c1/logs/lxc.log", "web~c1");
	_free_ char *bare = ref_add_project("/1.0/instances/c1/logs/lxc.log", "c1");

	assert_string_equal(log, "/1.0/instances/c1/logs/lxc.log?project=web");
	assert_string_equal(bare, "/1.0/instances/c1/logs/lxc.log");
}

static void a_kind_says_whether_projects_part_it(void **state)
{
	static const enum entity in_projects[] = { ENT_INSTANCE, ENT_IMAGE,   ENT_ALIAS,
						   ENT_PROFILE,  ENT_NETWORK, ENT_ADDRESS,
						   ENT_SNAPSHOT };

	for (enum entity e = 0; e < ENT_MAX; e++) {
		enum scope scope = SCOPE_GLOBAL;
		_free_ char *key = ref_key(e, "web", "x");

		for (size_t i = 0; i < ARRAY_SIZE(in_projects); i++) {
			if (in_projects[i] == e)
				scope = SCOPE_PROJECT;
		}
		assert_int_equal(entity_scope(e), scope);
		assert_string_equal(key, scope == SCOPE_PROJECT ? "web~x" : "x");
		assert_true(strlen(entity_name(e)) > 0);
	}
}

static void objects_name_others_of_their_project(void **state)
{
	static const struct {
		const char *text;
		enum entity e;
		const char *key;
	} t[] = {
		{ "c1", ENT_PROFILE, "small" },
		{ "web~c1", ENT_PROFILE, "web~small" },
		{ "web~c1", ENT_NETWORK, "web~small" },
		{ "web~c1", ENT_POOL, "small" },
		{ "c1", ENT_POOL, "small" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_free_ char *key = ref_beside(t[i].text, t[i].e, "small");

		assert_string_equal(key, t[i].key);
	}
}

static void a_project_has_what_is_in_it(void **state)
{
	assert_true(ref_is_in("c1", PROJECT_DEFAULT));
	assert_true(ref_is_in("web~c1", "web"));
	assert_false(ref_is_in("web~c1", PROJECT_DEFAULT));
	assert_false(ref_is_in("web~c1", "we"));
	assert_false(ref_is_in("c1", "c1"));
	assert_true(ref_is_in("c1", NULL));
	assert_true(ref_is_in("web~c1", NULL));
}

static void an_object_has_a_lock_of_its_own(void **state)
{
	static const struct {
		enum entity e;
		const char *key, *lock;
	} t[] = {
		{ ENT_INSTANCE, "c1", "instance/c1" },
		{ ENT_INSTANCE, "web~c1", "instance/web~c1" },
		{ ENT_NETWORK, "c1", "network/c1" },
		{ ENT_IMAGE, "c1", "image/c1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_free_ char *lock = ref_lock(t[i].e, t[i].key);

		assert_string_equal(lock, t[i].lock);
	}
}

static void no_new_name_has_the_separator(void **state)
{
	assert_true(name_is_free("small", 64));
	assert_true(name_is_free("a b_c.d", 64));
	assert_false(name_is_free("web~small", 64));
	assert_false(name_is_free("~", 64));
	assert_false(name_is_free("", 64));
	assert_false(name_is_free("abc", 2));
	/* What has a stricter rule has it, too. */
	assert_false(str_is_hostname("a~b"));
	assert_false(str_is_ifname("a~b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_form_is_read_back),
		cmocka_unit_test(no_two_refs_share_a_text_form),
		cmocka_unit_test(a_project_has_an_end),
		cmocka_unit_test(a_url_says_the_project),
		cmocka_unit_test(what_belongs_to_an_object_is_in_its_project),
		cmocka_unit_test(a_kind_says_whether_projects_part_it),
		cmocka_unit_test(objects_name_others_of_their_project),
		cmocka_unit_test(an_object_means_rows_of_its_project),
		cmocka_unit_test(a_network_has_an_interface_of_its_own),
		cmocka_unit_test(a_project_has_what_is_in_it),
		cmocka_unit_test(an_object_has_a_lock_of_its_own),
		cmocka_unit_test(no_new_name_has_the_separator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
