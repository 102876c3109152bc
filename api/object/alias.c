/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/object.h"
#include "api/work/find_image.h"
#include "base/mem.h"
#include "base/str.h"

/* As other names, but a slash may be inside: "alpine/3.18". */
static bool is_name(const char *name)
{
	_free_ char *flat = xstrdup(name);

	for (char *c = flat; *c; c++) {
		if (*c == '/' && c != flat && c[1])
			*c = '-';
	}
	return name_is_free(flat, 128);
}

/* The untrusted see those of public images. */
static bool hidden(struct req *r, const struct row *row)
{
	_free_ char *key = ref_beside(row->key, ENT_IMAGE, json_str(row->doc, "target", ""));
	_row_ struct row image = { 0 };

	return !caller_trusted(r) &&
	       (store_get(req_env(r)->store, ENT_IMAGE, key, &image, req_err(r)) < 0 ||
		!json_bool(image.doc, "public", false));
}

static int fix(struct req *r, struct change *c)
{
	const char *type = json_str(c->doc, "type", "");

	if (str_empty(type) || str_eq(type, "container")) {
		json_put_str(c->doc, "type", "container");
		return 0;
	}
	return err_set(req_err(r), ERR_INVALID,
		       "%s: invalid value \"%.40s\" for \"type\": must be container", c->what,
		       type);
}

/* The target may be sent as a beginning of a fingerprint. */
static int check(struct req *r, struct change *c)
{
	const char *target = json_str(c->doc, "target", "");
	_row_ struct row image = { 0 };

	if (c->old && str_eq(target, json_str(c->old, "target", "")))
		return 0;
	if (image_by_fingerprint(req_env(r), req_project(r), target, &image, req_err(r)) < 0)
		return -1;
	json_put_str(c->doc, "target", ref_of(image.key).name);
	return 0;
}

static const struct field fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },
	{ "type", JW_STR, FIELD_FIXED, false },
	{ "target", JW_STR, FIELD_KEEP, true },
	{ "description", JW_STR, FIELD_KEEP, false },
	{ NULL, 0, 0, false },
};

const struct kind kind_alias = {
	.entity = ENT_ALIAS,
	.fields = fields,
	.is_name = is_name,
	.name_rule = "at most 128 bytes, none of them a control byte or \"~\"",
	.hidden = hidden,
	.fix = fix,
	.check = check,
};
