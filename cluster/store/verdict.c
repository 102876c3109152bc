/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/verdict.h"

#include "base/str.h"

/* Whether the leader's server refused the call before anything in it was looked at. */
static bool unread(enum err_kind kind)
{
	switch (kind) {
	case ERR_INVALID:
	case ERR_FORBIDDEN:
	case ERR_NOT_FOUND:
	case ERR_METHOD:
	case ERR_TOO_LARGE:
	case ERR_LIMIT:
	case ERR_UNAVAILABLE:
		return true;
	default:
		return false;
	}
}

enum err_kind verdict_of_call(enum call_stage stage, enum err_kind kind)
{
	if (stage == CALL_UNSENT)
		return ERR_UNAVAILABLE;
	return stage == CALL_REFUSED && unread(kind) ? kind : ERR_UNKNOWN;
}

int verdict_of_result(const json_t *result, int64_t *ret_rev, struct err *err)
{
	int64_t rev = json_int(result, "revision", 0);
	const char *name = json_str(result, "kind", "");
	enum err_kind kind = err_from_name(name);

	if (rev > 0) {
		*ret_rev = rev;
		return 0;
	}
	if (str_eq(name, err_name(kind)))
		return err_set(err, kind, "%s", json_str(result, "error", ""));
	return err_set(err, ERR_UNKNOWN, "the leader's answer is malformed");
}
