/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/form/keys.h"

#define LINE_WORDS_MAX 256

struct completion {
	struct args args;
	const struct opt *wants; /* the option whose value comes next */
	const char *begun;       /* of the word that comes next */
	void (*word)(void *arg, const char *text);
	void *arg;
};

static void offer(struct completion *c, const char *text)
{
	if (str_starts(text, c->begun))
		c->word(c->arg, text);
}

/* --- commands and options -------------------------------------------------------------------- */

static void offer_next(struct completion *c, const char *group, const char *words)
{
	size_t skip = *group ? strlen(group) + 1 : 0;

	if ((!skip || (str_starts(words, group) && words[skip - 1] == ' ')) &&
	    !strchr(words + skip, ' '))
		offer(c, words + skip);
}

static void offer_commands(struct completion *c)
{
	const struct cmd_table *t = c->args.table;

	for (const struct cmd *cmd = t->cmds; cmd->words; cmd++)
		offer_next(c, c->args.words, cmd->words);
	for (const struct cmd_group *g = t->groups; g->words; g++)
		offer_next(c, c->args.words, g->words);
}

static void offer_option(struct completion *c, const struct opt *o)
{
	_free_ char *text = xasprintf("--%s", o->name);

	offer(c, text);
}

static void offer_options(struct completion *c)
{
	const struct opt *o;

	for (size_t i = 0; c->args.cmd && (o = cmd_opt(c->args.cmd, i)); i++)
		offer_option(c, o);
	for (o = opts_global; o->name; o++)
		offer_option(c, o);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void offer_pair(struct completion *c, const char *key, const char *value)
{
	_free_ char *text = xasprintf("%s=%s", key, value);

	offer(c, text);
}

/* Of the key before the "=". */
static void offer_values(struct completion *c, const struct keys *keys)
{
	_free_ char *name = xstrndup(c->begun, strcspn(c->begun, "="));

	for (const struct key *k = keys->rows; k->name; k++) {
		if (!key_is_of(keys, k) || !str_eq(k->name, name) || k->refused)
			continue;
		for (size_t i = 0; k->holds == KEY_HOLDS_WORDS && k->words[i]; i++)
			offer_pair(c, name, k->words[i]);
		if (k->holds != KEY_HOLDS_BOOL)
			continue;
		offer_pair(c, name, "true");
		offer_pair(c, name, "false");
	}
}

/* Two types of a table may have a key of one name: it is offered once. */
static bool is_first(const struct keys *keys, const struct key *row)
{
	for (const struct key *k = keys->rows; k != row; k++) {
		if (key_is_of(keys, k) && !k->refused && str_eq(k->name, row->name))
			return false;
	}
	return true;
}

/* Not what the server keeps for itself. */
static void offer_keys(struct completion *c, const struct keys *keys, bool values)
{
	if (values && strchr(c->begun, '=')) {
		offer_values(c, keys);
		return;
	}
	for (const struct key *k = keys->rows; k->name; k++) {
		size_t n = strcspn(k->name, "*");
		_free_ char *text =
			xasprintf("%.*s%s", (int)n, k->name, values && !k->name[n] ? "=" : "");

		if (n > 0 && key_is_of(keys, k) && !k->refused && is_first(keys, k) &&
		    !str_starts(k->name, "volatile."))
			offer(c, text);
	}
}

/* The types are the scopes of the table. */
static void offer_types(struct completion *c, const struct keys *keys)
{
	const char *last = "any";

	for (const struct key *k = keys->rows; k->name; k++) {
		if (!str_eq(k->scope, "any") && !str_eq(k->scope, last))
			offer(c, k->scope);
		last = k->scope;
	}
}

static void offer_drivers(struct completion *c)
{
	for (size_t i = 0; pool_drivers[i]; i++)
		offer(c, pool_drivers[i]);
}

/* --- arguments ------------------------------------------------------------------------------- */

/* The word of the usage that says what the n-th argument is, the last one for all that follow; the
 * caller frees. "" when there is none. */
static char *place_of(const char *usage, int n)
{
	_free_ char *copy = xstrdup(usage);
	char *parts[16];
	size_t count = str_split(copy, ' ', parts, ARRAY_SIZE(parts));

	if (count == 0 || count > ARRAY_SIZE(parts))
		return xstrdup("");
	if ((size_t)n < count)
		return xstrdup(parts[n]);
	return xstrdup(strstr(parts[count - 1], "...") ? parts[count - 1] : "");
}

/* The argument that the usage calls so; NULL when it is not there yet. */
static const char *argument(const struct completion *c, const char *name)
{
	for (int i = 0; i < c->args.npos; i++) {
		_free_ char *place = place_of(c->args.cmd->usage, i);

		if (str_eq(place, name))
			return c->args.pos[i];
	}
	return NULL;
}

static void offer_argument(struct completion *c)
{
	const struct command_keys *k = command_keys_of(c->args.cmd->words);
	_free_ char *place = place_of(c->args.cmd->usage, c->args.npos);
	bool values = strstr(c->args.cmd->usage, "=VALUE") != NULL;
	struct keys keys;

	if (!k)
		return;
	keys = k->keys;
	if (argument(c, "TYPE"))
		keys.scope = argument(c, "TYPE");
	if (argument(c, "DRIVER"))
		keys.scope = argument(c, "DRIVER");
	if (str_eq(place, "TYPE"))
		offer_types(c, &keys);
	else if (str_eq(place, "DRIVER"))
		offer_drivers(c);
	else if (k->without_name && (c->args.npos == 0 || strchr(c->args.pos[0], '=')))
		offer_keys(c, &keys_of_server, values);
	else if (strstr(place, "KEY"))
		offer_keys(c, &keys, values);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void offer_all(struct completion *c)
{
	if (c->wants) {
		if (str_eq(c->wants->id, "config"))
			offer_keys(c, &keys_of_instances, true);
	} else if (c->begun[0] == '-') {
		offer_options(c);
	} else if (!c->args.cmd) {
		offer_commands(c);
	} else {
		offer_argument(c);
	}
}

void complete_line(const struct cmd_table *t, const char *line,
		   void (*word)(void *arg, const char *text), void *arg)
{
	_free_ struct completion *c = xnew(struct completion);
	_free_ char *copy = xstrdup(line);
	char *words[LINE_WORDS_MAX];
	size_t parts = str_split(copy, ' ', words, LINE_WORDS_MAX);
	struct err ignored;
	int n = 0;

	if (parts < 2 || parts > LINE_WORDS_MAX)
		return;
	c->word = word;
	c->arg = arg;
	c->begun = words[parts - 1]; /* "" after a blank */
	for (size_t i = 0; i + 1 < parts; i++) {
		if (*words[i])
			words[n++] = words[i];
	}
	if (n > 0 && args_begin(t, &c->args, n, words, &c->wants, &ignored) == 0)
		offer_all(c);
}
