/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define LATE_MS 1000

enum action { NONE, CRASH, FAIL, HANG, LATE };

bool fault_armed;
static enum action armed[FAULT_MAX];

static const char *const names[FAULT_MAX] = {
#define FAULT(name, doc) #name,
#include "base/fault.def"
#undef FAULT
};

static enum action parse_action(const char *s)
{
	static const char *const words[] = {
		[CRASH] = "crash", [FAIL] = "error", [HANG] = "hang", [LATE] = "late"
	};

	for (size_t i = CRASH; i < ARRAY_SIZE(words); i++) {
		if (str_eq(s, words[i]))
			return (enum action)i;
	}
	return NONE;
}

static int arm(char *item, struct err *err)
{
	char *eq = strchr(item, '=');
	enum action a = eq ? parse_action(eq + 1) : NONE;

	if (a == NONE)
		return err_set(err, ERR_INVALID, "DUNLIN_FAULT: \"%s\" is not name=action", item);
	*eq = '\0';
	for (int i = 0; i < FAULT_MAX; i++) {
		if (str_eq(names[i], item)) {
			armed[i] = a;
			fault_armed = true;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "DUNLIN_FAULT: no fault point \"%s\"", item);
}

int fault_init(struct err *err)
{
	_free_ char *text = xstrdup(getenv("DUNLIN_FAULT"));
	char *parts[FAULT_MAX];
	size_t n;

	if (str_empty(text))
		return 0;
	n = str_split(text, ',', parts, FAULT_MAX);
	for (size_t i = 0; i < n && i < FAULT_MAX; i++) {
		if (arm(parts[i], err) < 0)
			return -1;
	}
	return 0;
}

int fault_fire(enum fault f, struct err *err)
{
	enum action a;

	assert(f < FAULT_MAX);
	a = __atomic_exchange_n(&armed[f], NONE, __ATOMIC_SEQ_CST);
	if (a == NONE)
		return 0;
	log_warn("fault point reached", "name", names[f]);
	if (a == CRASH)
		kill(getpid(), SIGKILL);
	while (a == HANG || a == CRASH)
		pause();
	if (a == LATE) {
		poll(NULL, 0, LATE_MS);
		return 0;
	}
	return err_set(err, ERR_INTERNAL, "fault point %s", names[f]);
}
