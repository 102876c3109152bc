/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/filter.h - the filter= of lists: [not] FIELD eq|ne VALUE, joined by and|or from left to
 * right.
 *
 * A field is a path of JSON names with dots; a dot may also be part of a name (config.image.os).
 * Values may be quoted. Strings are matched as whole-string, case-insensitive regular expressions
 * unless the value has ^ or $; numbers, booleans and lists by their JSON text.
 */
#pragma once
#include "base/json.h"

struct filter;

/* NULL with no error for an empty text; NULL with ERR_INVALID for a malformed one: *ret_ok tells.
 */
struct filter *filter_parse(const char *text, bool *ret_ok, struct err *err);
void filter_free(struct filter *f);
/* A NULL filter matches everything. */
bool filter_match(const struct filter *f, const json_t *object);
