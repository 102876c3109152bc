/* SPDX-License-Identifier: Apache-2.0 */
/* What POST /1.0/instances refuses before anything is made of it. */
#include "tests/unit/api/api_world.h"

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int open_world(void **state)
{
	struct api_world *t;

	api_world_open(state);
	t = *state;
	world_put(&t->w, ENT_POOL, "default", json_pack("{s:s, s:{}}", "driver", "dir", "config"));
	world_put(&t->w, ENT_PROFILE, "default",
		  json_pack("{s:{}, s:{s:{s:s,s:s,s:s}}}", "config", "devices", "root", "type",
			    "disk", "path", "/", "pool", "default"));
	world_put(&t->w, ENT_INSTANCE, "there",
		  json_pack("{s:s, s:s}", "name", "there", "member", "none"));
	world_put(&t->w, ENT_IMAGE, FINGERPRINT,
		  json_pack("{s:s, s:s, s:{s:s}}", "fingerprint", FINGERPRINT, "architecture",
			    "x86_64", "properties", "os", "test"));
	return 0;
}

static void bodies(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *words;
	} cases[] = {
		{ "{}", 400, "source" },
		{ "{'source':{}}", 400, "type" },
		{ "{'source':'none'}", 400, "source" },
		{ "{'source':{'type':'none'}, 'colour':'red'}", 400, "colour" },
		{ "{'source':{'type':'none', 'colour':'red'}}", 400, "colour" },
		{ "{'source':{'type':'none'}, 'config':{'user.a':1}}", 400, "config" },
		{ "{'source':{'type':'none'}, 'profiles':'default'}", 400, "profiles" },
		/* names */
		{ "{'name':'a b', 'source':{'type':'none'}}", 400, "a b" },
		{ "{'name':'-a', 'source':{'type':'none'}}", 400, "-a" },
		{ "{'name':'1', 'source':{'type':'none'}}", 400, "1" },
		{ "{'name':'web~a', 'source':{'type':'none'}}", 400, "web~a" },
		{ "{'name':'there', 'source':{'type':'none'}}", 409,
		  "Instance \"there\" already exists" },
		/* kinds of instances */
		{ "{'source':{'type':'none'}, 'type':'virtual-machine'}", 400,
		  "only containers are implemented" },
		{ "{'source':{'type':'none'}, 'instance_type':'t2.micro'}", 501,
		  "set limits.cpu and limits.memory" },
		{ "{'source':{'type':'none'}, 'restore':'snap'}", 501, "restoring" },
		{ "{'source':{'type':'none'}, 'stateful':true}", 501, "restoring" },
		{ "{'source':{'type':'none'}, 'config':{'volatile.uuid':'x'}}", 400,
		  "the server keeps it" },
		{ "{'source':{'type':'none'}, 'architecture':'pdp11'}", 400, "must be one of" },
		{ "{'source':{'type':'none'}, 'architecture':'s390x'}", 400,
		  "no member can run it" },
		/* sources */
		{ "{'source':{'type':'copy', 'source':'there'}}", 501, "\"copy\"" },
		{ "{'source':{'type':'migration'}}", 501, "\"migration\"" },
		{ "{'source':{'type':'floppy'}}", 400, "unknown source type \"floppy\"" },
		{ "{'source':{'type':'image'}}", 400, "the source names no image" },
		{ "{'source':{'type':'image', 'alias':'none'}}", 404, "none" },
		{ "{'source':{'type':'image', 'fingerprint':'ffff'}}", 404, "ffff" },
		{ "{'source':{'type':'image', 'alias':'a', 'server':'https://x'}}", 501,
		  "images of other servers" },
		{ "{'source':{'type':'image', 'fingerprint':'0123', 'secret':'x'}}", 501,
		  "secret" },
		{ "{'source':{'type':'image', 'fingerprint':'0123', 'live':true}}", 501, "live" },
		{ "{'source':{'type':'image', 'fingerprint':'0123'}, 'architecture':'i686'}", 400,
		  "the image is of x86_64" },
		/* what it would have */
		{ "{'source':{'type':'none'}, 'config':{'no.such':'1'}}", 400, "no.such" },
		{ "{'source':{'type':'none'}, 'config':{'limits.memory':'much'}}", 400,
		  "limits.memory" },
		{ "{'source':{'type':'none'}, 'profiles':['none']}", 404, "none" },
		{ "{'source':{'type':'none'}, 'profiles':[]}", 400, "root" },
		{ "{'source':{'type':'none'}, 'devices':{'eth0':{'type':'wheel'}}}", 400, "wheel" },
		{ "{'source':{'type':'none'}, 'devices':{'root':{'type':'disk', 'path':'/', "
		  "'pool':'none'}}}",
		  404, "none" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *body = quoted_text(cases[i].body);

		api_refused(t, "POST /1.0/instances", body, cases[i].status, cases[i].words);
	}
	assert_int_equal(store_count(t->w.store, ENT_INSTANCE, NULL), 1);
	assert_int_equal(t->events.count, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(bodies) };

	return cmocka_run_group_tests(tests, open_world, api_world_close);
}
