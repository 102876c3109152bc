/* SPDX-License-Identifier: Apache-2.0 */
/* image info, and which images a filter of "image list" passes. */
#include "tests/unit/cli/server_world.h"

#include "cli/cmd/list.h"

#define FP "abcd000000000000000000000000000000000000000000000000000000000000"

static const struct dialogue cases[] = {
	{ "image info img",
	  NULL,
	  { SAYS("GET /1.0/images/aliases/img", "{\"target\":\"" FP "\"}"),
	    SAYS("GET /1.0/images/" FP,
		 "{\"fingerprint\":\"" FP "\",\"size\":1500000,\"architecture\":\"x86_64\","
		 "\"type\":\"container\",\"public\":true,\"created_at\":\"2026-11-23T11:30:00Z\","
		 "\"uploaded_at\":\"2026-11-24T11:30:00Z\",\"expires_at\":"
		 "\"0001-01-01T00:00:00Z\",\"properties\":{\"b\":\"2\",\"a\":\"1\"},"
		 "\"aliases\":[{\"name\":\"img\"}],\"cached\":true,\"auto_update\":false,"
		 "\"profiles\":[\"default\"]}") },
	  "Fingerprint: " FP "\nSize: 1.50MB\nArchitecture: x86_64\nType: container\n"
	  "Public: yes\nTimestamps:\n    Created: 2026/11/23 11:30 UTC\n"
	  "    Uploaded: 2026/11/24 11:30 UTC\n    Expires: never\n    Last used: never\n"
	  "Properties:\n  a: \"1\"\n  b: \"2\"\nAliases:\n- img\nCached: true\n"
	  "Auto update: false\nProfiles:\n- default\n",
	  NULL },
	{ "image info abcd",
	  NULL,
	  { SAYS("GET /1.0/images/abcd", "{\"fingerprint\":\"" FP "\"}"),
	    SAYS("GET /1.0/images/" FP, "{\"fingerprint\":\"" FP "\"}") },
	  "Fingerprint: " FP "\nSize: 0.00MB\nArchitecture: \nType: container\nPublic: no\n"
	  "Timestamps:\n    Created: never\n    Uploaded: never\n    Expires: never\n"
	  "    Last used: never\nAliases: []\nCached: false\nAuto update: false\n",
	  NULL },
	/* too short for a fingerprint */
	{ "image info abc",
	  NULL,
	  { SAYS("GET /1.0/storage-pools", "[\"/1.0/storage-pools/a\"]") },
	  "Error: no image has the alias or fingerprint \"abc\" (see dunlin image list)\n",
	  "GET /1.0/images/aliases/abc\nGET /1.0/storage-pools\n" },
};

static void tells(void **state)
{
	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void passes(void **state)
{
	static const struct {
		const char *filter;
		bool passes;
	} filters[] = {
		{ "abcd", true },
		{ "bcd", false },
		{ "", true },
		{ "WEB", true },
		{ "eb-2", true },
		{ "db", false },
		{ "os=Debian", true },
		{ "os=debian", true },
		{ "os=deb", false },
		{ "os=", false },
		{ "architecture=x86_64", true },
		{ "release=13", false },
		{ "=x", false },
	};
	_json_ json_t *image = json_loads("{\"fingerprint\":\"" FP "\",\"architecture\":\"x86_64\","
					  "\"aliases\":[{\"name\":\"a\"},{\"name\":\"web-2\"}],"
					  "\"properties\":{\"os\":\"Debian\"}}",
					  0, NULL);

	assert_non_null(image);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		if (image_passes(image, filters[i].filter) != filters[i].passes)
			fail_msg("\"%s\"", filters[i].filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells),
		cmocka_unit_test(passes),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
