/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/args.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct opt opts[] = {
#define OPT(id, name, letter, type, arg, help) { id, name, letter, type, arg, help },
#include "cli/form/opts.def"
#undef OPT
};

const struct opt opts_global[] = {
	{ "", "debug", 0, OPT_FLAG, NULL, "Show every request and its answer's status" },
	{ "", "verbose", 'v', OPT_FLAG, NULL,
	  "Accepted for compatibility: nothing more is said (see --debug)" },
	{ "", "quiet", 'q', OPT_FLAG, NULL, "No progress and no remarks" },
	{ "", "force-local", 0, OPT_FLAG, NULL,
	  "Talk to the local daemon whatever the default is" },
	{ "", "socket", 0, OPT_ONE, "PATH", "Unix socket of the local daemon" },
	{ "", "project", 0, OPT_ONE, "NAME", "Project to work in" },
	{ "", "help", 'h', OPT_FLAG, NULL, "Explain a command" },
	{ "", "version", 0, OPT_FLAG, NULL, "Print the version" },
	{ .name = NULL },
};

/* Other words that people type for a verb. */
static const struct {
	const char *typed, *word;
} synonyms[] = {
	{ "ls", "list" },       { "rm", "delete" },
	{ "rm", "remove" },     { "mv", "move" },
	{ "mv", "rename" },     { "cp", "copy" },
	{ "resume", "start" },  { "unfreeze", "start" },
	{ "freeze", "pause" },  { "set-default", "switch" },
	{ "remove", "delete" }, { "delete", "remove" },
};

static const struct opt *opt_by_id(const char *id, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(opts); i++)
		if (strlen(opts[i].id) == len && memcmp(opts[i].id, id, len) == 0)
			return &opts[i];
	return NULL;
}

const struct opt *cmd_opt(const struct cmd *cmd, size_t i)
{
	const char *p = cmd->opts;

	for (;;) {
		size_t len;

		p += strspn(p, " ");
		len = strcspn(p, " ");
		if (len == 0)
			return NULL;
		if (i-- == 0)
			return opt_by_id(p, len);
		p += len;
	}
}

static const struct opt *find_opt(const struct cmd *cmd, const char *name, size_t len, char letter)
{
	const struct opt *o;

	for (size_t i = 0; cmd && (o = cmd_opt(cmd, i)); i++)
		if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
			 : o->letter && o->letter == letter)
			return o;
	for (o = opts_global; o->name; o++)
		if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
			 : o->letter && o->letter == letter)
			return o;
	return NULL;
}

const struct cmd *cmd_find(const struct cmd_table *t, const char *words)
{
	for (const struct cmd *c = t->cmds; c->words; c++)
		if (strcmp(c->words, words) == 0)
			return c;
	return NULL;
}

const struct cmd_group *cmd_group_find(const struct cmd_table *t, const char *words)
{
	for (const struct cmd_group *g = t->groups; g->words; g++)
		if (strcmp(g->words, words) == 0)
			return g;
	return NULL;
}

static bool known_words(const struct cmd_table *t, const char *words)
{
	return cmd_find(t, words) || cmd_group_find(t, words);
}

static bool join_words(const char *group, const char *word, char buf[WORDS_MAX])
{
	return (size_t)snprintf(buf, WORDS_MAX, "%s%s%s", group, *group ? " " : "", word) <
	       WORDS_MAX;
}

struct scan {
	struct args *a;
	int argc, i;
	char **argv;
	bool ended; /* only arguments follow */
	const struct opt *wants; /* the option whose value is missing */
};

static const char *command_name(const struct args *a, char buf[WORDS_MAX + 8])
{
	snprintf(buf, WORDS_MAX + 8, "dunlin%s%s", *a->words ? " " : "", a->words);
	return buf;
}

static int unknown_word(const struct args *a, const char *word, struct err *err)
{
	char name[WORDS_MAX + 8], near[WORDS_MAX];

	command_name(a, name);
	if (cmd_nearest(a->table, a->words, word, near))
		return err_set(err, ERR_INVALID,
			       "unknown command \"%.60s\" for \"%s\": did you mean \"dunlin %s\"?",
			       word, name, near);
	return err_set(err, ERR_INVALID, "unknown command \"%.60s\" for \"%s\" (see %s --help)",
		       word, name, name);
}

static int take_word(struct args *a, const char *word, struct err *err)
{
	char next[WORDS_MAX];

	if (strcmp(word, "help") == 0) {
		a->help = true;
		return 0;
	}
	if (!join_words(a->words, word, next) || !known_words(a->table, next)) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(synonyms) && !found; i++)
			found = strcmp(synonyms[i].typed, word) == 0 &&
				join_words(a->words, synonyms[i].word, next) &&
				known_words(a->table, next);
		if (!found)
			return unknown_word(a, word, err);
	}
	str_copy(a->words, sizeof(a->words), next);
	a->cmd = cmd_find(a->table, next);
	return 0;
}

static int take_argument(struct scan *s, const char *arg, struct err *err)
{
	struct args *a = s->a;

	if (!a->cmd)
		return take_word(a, arg, err);
	if (a->npos == ARGS_MAX)
		return err_set(err, ERR_INVALID, "more than %d arguments", ARGS_MAX);
	a->pos[a->npos++] = arg;
	if (a->cmd->tail && a->npos == 2)
		s->ended = true;
	return 0;
}

static int store(struct args *a, const struct opt *o, const char *value, struct err *err)
{
	bool on = true;

	if (o->type == OPT_FLAG && value && !str_to_bool(value, &on))
		return err_set(err, ERR_INVALID, "option --%s takes true or false, not \"%.60s\"",
			       o->name, value);
	if (o->type == OPT_FLAG)
		value = on ? "true" : "false";
	if (a->nvals == ARGS_MAX)
		return err_set(err, ERR_INVALID, "more than %d options", ARGS_MAX);
	if (strcmp(o->name, "help") == 0)
		a->help = on;
	else if (strcmp(o->name, "version") == 0 && !*o->id)
		a->version = on;
	a->vals[a->nvals].opt = o;
	a->vals[a->nvals++].value = value;
	return 0;
}

static int unknown_opt(const struct args *a, const char *arg, struct err *err)
{
	char name[WORDS_MAX + 8];

	return err_set(err, ERR_INVALID, "unknown option %.60s for \"%s\" (see %s --help)", arg,
		       command_name(a, name), name);
}

/* The value is what follows in the same argument, else the next argument. */
static int take_value(struct scan *s, const struct opt *o, const char *rest, struct err *err)
{
	if (o->type != OPT_FLAG && !rest) {
		if (s->i + 1 >= s->argc) {
			s->wants = o;
			return err_set(err, ERR_INVALID, "option --%s needs a value: --%s %s",
				       o->name, o->name, o->arg);
		}
		rest = s->argv[++s->i];
	}
	return store(s->a, o, rest, err);
}

static int take_long(struct scan *s, const char *arg, struct err *err)
{
	size_t len = strcspn(arg + 2, "=");
	const struct opt *o = find_opt(s->a->cmd, arg + 2, len, 0);

	if (!o)
		return unknown_opt(s->a, arg, err);
	return take_value(s, o, arg[2 + len] ? arg + 3 + len : NULL, err);
}

static int take_short(struct scan *s, const char *arg, struct err *err)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct opt *o = find_opt(s->a->cmd, NULL, 0, *p);

		if (!o)
			return unknown_opt(s->a, arg, err);
		if (o->type != OPT_FLAG) {
			const char *rest = p[1] == '=' ? p + 2 : p + 1;

			return take_value(s, o, p[1] ? rest : NULL, err);
		}
		if (store(s->a, o, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int take_one(struct scan *s, struct err *err)
{
	const char *arg = s->argv[s->i];

	if (s->ended || arg[0] != '-' || arg[1] == '\0')
		return take_argument(s, arg, err);
	if (strcmp(arg, "--") == 0) {
		s->ended = true;
		return 0;
	}
	return arg[1] == '-' ? take_long(s, arg, err) : take_short(s, arg, err);
}

static int check_count(const struct args *a, struct err *err)
{
	const struct cmd *c = a->cmd;
	const char *what = a->npos < c->min ? "too few" : "too many";

	if (a->npos >= c->min && (c->max < 0 || a->npos <= c->max))
		return 0;
	return err_set(err, ERR_INVALID, "%s arguments. Usage: dunlin %s%s%s", what, c->words,
		       *c->usage ? " " : "", c->usage);
}

int args_parse(const struct cmd_table *t, struct args *ret, int argc, char **argv, struct err *err)
{
	struct scan s = { .a = ret, .argc = argc, .argv = argv };

	*ret = (struct args){ .table = t };
	for (s.i = 1; s.i < argc; s.i++)
		if (take_one(&s, err) < 0)
			return -1;
	if (ret->help || ret->version || !ret->cmd)
		return 0;
	return check_count(ret, err);
}

int args_begin(const struct cmd_table *t, struct args *ret, int argc, char **argv,
	       const struct opt **ret_wants, struct err *err)
{
	struct scan s = { .a = ret, .argc = argc, .argv = argv };
	int rc = 0;

	*ret = (struct args){ .table = t };
	for (s.i = 1; s.i < argc && rc == 0; s.i++)
		rc = take_one(&s, err);
	if (rc < 0 && !s.wants)
		return -1;
	*ret_wants = s.wants;
	return 0;
}

const char *args_value(const struct args *a, const char *name)
{
	for (int i = a->nvals; i-- > 0;)
		if (strcmp(a->vals[i].opt->name, name) == 0)
			return a->vals[i].value;
	return NULL;
}

bool args_flag(const struct args *a, const char *name)
{
	const char *v = args_value(a, name);

	return v && strcmp(v, "true") == 0;
}

const char *args_nth(const struct args *a, const char *name, int i)
{
	for (int k = 0; k < a->nvals; k++)
		if (strcmp(a->vals[k].opt->name, name) == 0 && i-- == 0)
			return a->vals[k].value;
	return NULL;
}

const char *args_pos(const struct args *a, int i)
{
	return i < a->npos ? a->pos[i] : NULL;
}

/* Edit distance, with a swap of neighbours as one step; words are short. */
static int distance(const char *a, const char *b)
{
	enum { MAX = 24 };
	int d[MAX + 1][MAX + 1];
	int n = strlen(a), m = strlen(b);

	if (n > MAX || m > MAX)
		return MAX;
	for (int i = 0; i <= n; i++) {
		for (int j = 0; j <= m; j++) {
			int best = i + j;

			if (i && j)
				best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (i && j && d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (i && j && d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

static void consider(const char *group, const char *words, const char *word, int *best,
		     char buf[WORDS_MAX])
{
	size_t skip = *group ? strlen(group) + 1 : 0;
	char last[WORDS_MAX];
	int d;

	if (skip && (!str_starts(words, group) || words[skip - 1] != ' '))
		return;
	str_copy(last, sizeof(last), words + skip);
	if (strchr(last, ' '))
		return;
	d = strlen(word) > 2 && str_starts(last, word) ? 1 : distance(word, last);
	if (d < *best) {
		*best = d;
		str_copy(buf, WORDS_MAX, words);
	}
}

const char *cmd_nearest(const struct cmd_table *t, const char *group, const char *word,
			char buf[WORDS_MAX])
{
	int limit = strlen(word) > 4 ? 3 : 2;
	int best = limit;

	for (const struct cmd *c = t->cmds; c->words; c++)
		consider(group, c->words, word, &best, buf);
	for (const struct cmd_group *g = t->groups; g->words; g++)
		consider(group, g->words, word, &best, buf);
	return best < limit ? buf : NULL;
}
