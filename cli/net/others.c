/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/others.h"

#include <assert.h>
#include <poll.h>

#include "base/clock.h"
#include "base/str.h"

#define AGAIN_MS 30000
#define STEP_MS 300

struct others others_of(struct client *cl)
{
	struct others o = { .cl = cl };
	struct err ignored;

	if (client_is_remote(cl))
		o.members = api_get(cl, "/1.0/cluster/members?recursion=1", &ignored);
	return o;
}

void others_done(struct others *o)
{
	json_decref(o->members);
	o->members = NULL;
}

static bool is_away(const struct err *err)
{
	return err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT;
}

static json_t *ask_members(const struct others *o, const char *path, struct err *err)
{
	json_t *member, *got;
	size_t i;

	json_array_foreach(o->members, i, member) {
		struct client *cl = client_beside(o->cl, json_str(member, "url", ""), err);

		got = cl ? api_get(cl, path, err) : NULL;
		if (got || (cl && !is_away(err)))
			return got;
	}
	return NULL;
}

json_t *others_get(const struct others *o, const char *path, struct err *err)
{
	int64_t deadline = deadline_in(AGAIN_MS);
	json_t *got;

	assert(o->cl);
	for (;;) {
		got = json_array_size(o->members) > 0 ? ask_members(o, path, err)
						      : api_get(o->cl, path, err);
		if (got || !is_away(err) || clock_ms() >= deadline)
			return got;
		poll(NULL, 0, STEP_MS); /* nobody tells when a server is back */
	}
}
