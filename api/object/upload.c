/* SPDX-License-Identifier: Apache-2.0 */
#include "api/object/upload.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* "a=1&b=2" as an object; or the list of the values of one key. What is no pair is left out. */
static json_t *parse_pairs(const char *text, const char *only)
{
	json_t *out = only ? json_array() : json_object();
	_free_ char *copy = xstrdup(text ? text : "");
	char *pair = copy, *next;

	for (; pair; pair = next) {
		char *eq;

		next = strchr(pair, '&');
		if (next)
			*next++ = '\0';
		eq = strchr(pair, '=');
		if (!eq)
			continue;
		*eq++ = '\0';
		if (!str_url_decode(pair, true) || !str_url_decode(eq, true))
			continue;
		if (!only)
			json_put_str(out, pair, eq);
		else if (str_eq(pair, only))
			json_array_append_new(out, json_string(eq));
	}
	return out;
}

static bool header_bool(const struct req *r, const char *name)
{
	const char *v = req_header(r, name);
	bool b;

	return v && str_to_bool(v, &b) && b;
}

static json_t *header_profiles(const struct req *r)
{
	json_t *list = parse_pairs(req_header(r, "X-LXD-profiles"), "profile");

	if (json_array_size(list))
		return list;
	json_decref(list);
	return NULL;
}

static json_t *header_aliases(const struct req *r)
{
	_json_ json_t *names = parse_pairs(req_header(r, "X-LXD-aliases"), "alias");
	json_t *list = json_array(), *name;
	size_t i;

	json_array_foreach(names, i, name)
		json_array_append_new(list, json_pack("{s:O}", "name", name));
	return list;
}

json_t *upload_args(const struct req *r)
{
	json_t *args = json_object();

	json_put_str(args, "project", req_project(r));
	json_put_str(args, "fingerprint", req_header(r, "X-LXD-fingerprint"));
	json_put_bool(args, "public", header_bool(r, "X-LXD-public"));
	json_object_set_new(args, "properties",
			    parse_pairs(req_header(r, "X-LXD-properties"), NULL));
	json_object_set_new(args, "profiles", header_profiles(r));
	json_object_set_new(args, "aliases", header_aliases(r));
	return args;
}
