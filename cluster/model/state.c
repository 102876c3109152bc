/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/state.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define TO(id) (1u << INST_##id)

static const struct {
	const char *word;
	unsigned next; /* TO() of what it may become */
	const char *second, *told;
} states[] = {
#define INST_STATE(id, word, next, second, told) [INST_##id] = { word, next, second, told },
#include "cluster/model/state.def"
#undef INST_STATE
	[INST_FOREIGN] = { .told = "it is in a state of a later release" },
};

/* Of a row, and of volatile.last_state.power. */
static const char *const powers[][2] = { { "off", "STOPPED" }, { "on", "RUNNING" } };

enum inst_state inst_state(const json_t *doc)
{
	const char *word = json_str(doc, "state", NULL);
	size_t i = 0;

	if (!word)
		return INST_READY;
	while (i < INST_FOREIGN && !str_eq(states[i].word, word))
		i++;
	return (enum inst_state)i;
}

bool inst_may_become(enum inst_state from, enum inst_state to)
{
	assert(from <= INST_FOREIGN);
	assert(to < INST_FOREIGN);
	return states[from].next & (1u << to);
}

int inst_become(json_t *doc, enum inst_state to, const char *second_name, struct err *err)
{
	enum inst_state from = inst_state(doc);

	assert(to < INST_FOREIGN);
	assert(!states[to].second == !second_name);
	if (!inst_may_become(from, to))
		return err_set(err, ERR_CONFLICT, "instance \"%s\": %s", json_str(doc, "name", "?"),
			       states[from].told);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (states[i].second)
			json_object_del(doc, states[i].second);
	}
	json_put_str(doc, "state", states[to].word);
	if (second_name)
		json_put_str(doc, states[to].second, second_name);
	return 0;
}

const char *inst_second_name(const json_t *doc)
{
	const char *second = states[inst_state(doc)].second;

	return second ? json_str(doc, second, NULL) : NULL;
}

const char *inst_moved_from(const json_t *doc)
{
	const char *name = inst_state(doc) == INST_MOVING ? inst_second_name(doc) : NULL;

	return name ? name : "";
}

const char *inst_state_told(enum inst_state s)
{
	assert(s <= INST_FOREIGN);
	return states[s].told;
}

void inst_begin(json_t *doc)
{
	assert(!json_object_get(doc, "state"));
	json_put_str(doc, "state", states[INST_CREATING].word);
	json_put_str(doc, "power", powers[false][0]);
	json_put_str(json_obj(doc, "config"), "volatile.last_state.power", powers[false][1]);
}

bool inst_shall_run(const json_t *doc)
{
	return str_eq(json_str(doc, "power", NULL), powers[true][0]);
}

void inst_set_power(json_t *doc, bool on)
{
	char now[CLOCK_TEXT_SIZE];

	json_put_str(doc, "power", powers[on][0]);
	json_put_str(json_obj(doc, "config"), "volatile.last_state.power", powers[on][1]);
	if (on)
		json_put_str(doc, "last_used_at", clock_now_text(now));
}

bool inst_is_suspended(const json_t *doc)
{
	return json_bool(doc, "stateful", false);
}

void inst_set_suspended(json_t *doc, bool on)
{
	json_put_bool(doc, "stateful", on);
}
