/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_json.c - request bodies: whatever parses must survive the check, printing, and
 * parsing again to the same value.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_field fields[] = {
	{ "name", JW_STR, true },
	{ "config", JW_STR_MAP, false },
	{ "devices", JW_OBJ, false },
	{ "profiles", JW_STR_LIST, false },
	{ "ephemeral", JW_BOOL, false },
	{ "width", JW_INT, false },
	{ "source", JW_ANY, false },
	{ "items", JW_ARR, false },
	{ NULL, 0, 0 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	_json_ json_t *j = json_parse((const char *)data, size, "body", &err);
	_json_ json_t *again = NULL;
	_free_ char *text = NULL;

	if (!j) {
		if (err.kind != ERR_INVALID || !err.msg[0])
			abort();
		return 0;
	}
	text = json_text(j);
	again = json_parse(text, strlen(text), "printed", &err);
	if (!again || !json_equal(j, again))
		abort();
	if (json_check(j, fields, "instance", &err) < 0 && !err.msg[0])
		abort();
	return 0;
}
