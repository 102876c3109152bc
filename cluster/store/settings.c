/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/settings.h"

#include "base/str.h"

static const struct {
	const char *name;
	int64_t least, most, dflt;
} settings[SETTING_MAX] = {
#define SETTING(id, name, least, most, dflt, doc) { name, least, most, dflt },
#include "cluster/model/settings.def"
#undef SETTING
};

int64_t setting_get(struct store *s, enum setting id)
{
	_row_ struct row row = { 0 };
	struct err ignored;
	int64_t v;

	if (store_get(s, ENT_CONFIG, settings[id].name, &row, &ignored) < 0 ||
	    !str_to_i64(json_str(row.doc, "value", ""), INT64_MIN, INT64_MAX, &v))
		return settings[id].dflt;
	return setting_bounded(id, v);
}

int64_t setting_bounded(enum setting id, int64_t value)
{
	bool fits = value >= settings[id].least && value <= settings[id].most;

	return fits ? value : settings[id].dflt;
}
