/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd/list.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/net/entity.h"
#include "cli/net/remote.h"

static const struct list lists[] = {
#define COLS(...)                      \
	(const struct column[])        \
	{                              \
		__VA_ARGS__            \
		{                      \
			.header = NULL \
		}                      \
	}
#define LIST(words_, min, max, opts, usage, summary, path_, columns_, ...) \
	{ .words = words_, .path = path_, .columns = columns_, ##__VA_ARGS__ },
#include "cli/cmds.def"
#undef COLS
};

const struct list *list_of(const char *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (strcmp(lists[i].words, words) == 0)
			return &lists[i];
	return NULL;
}

static void add_column(struct list_choice *ch, const struct column *col)
{
	assert(ch->n < LIST_COLUMNS_MAX);
	ch->v[ch->n++] = *col;
	if (col->need > ch->need)
		ch->need = col->need;
}

static int choose_letter(const struct list *l, struct list_choice *ch, char letter, struct err *err)
{
	for (const struct column *col = l->columns; col->header; col++) {
		if (col->letter != letter)
			continue;
		add_column(ch, col);
		return 0;
	}
	return err_set(err, ERR_INVALID, "unknown column '%c' (see dunlin %s --help)", letter,
		       l->words);
}

static void choose_key(struct list_choice *ch, const char *part)
{
	size_t len = strcspn(part, ":");
	char *key = xstrndup(part, len);
	const char *title = part[len] ? part + len + 1 : "";
	char *header;

	len = strcspn(title, ":");
	header = len ? xstrndup(title, len) : fmt_upper(key);
	ch->own[ch->nown++] = key;
	ch->own[ch->nown++] = header;
	add_column(ch, &(struct column){ .header = header, .cell = cell_config, .field = key });
}

static int too_many(struct err *err)
{
	return err_set(err, ERR_INVALID, "more than %d columns", LIST_COLUMNS_MAX);
}

static int choose_part(const struct list *l, struct list_choice *ch, const char *part,
		       struct err *err)
{
	if (l->keys && strchr(part, '.')) {
		if (ch->n == LIST_COLUMNS_MAX)
			return too_many(err);
		choose_key(ch, part);
		return 0;
	}
	for (; *part; part++) {
		if (ch->n == LIST_COLUMNS_MAX)
			return too_many(err);
		if (choose_letter(l, ch, *part, err) < 0)
			return -1;
	}
	return 0;
}

int list_choose(const struct list *l, const char *text, struct list_choice *ret, struct err *err)
{
	_free_ char *copy = xstrdup(text);
	char *parts[LIST_COLUMNS_MAX];
	size_t n = text ? str_split(copy, ',', parts, LIST_COLUMNS_MAX) : 0;

	for (const struct column *col = l->columns; !text && col->header; col++)
		add_column(ret, col);
	for (size_t i = 0; i < n && i < LIST_COLUMNS_MAX; i++)
		if (choose_part(l, ret, parts[i], err) < 0)
			return -1;
	return ret->n ? 0 : err_set(err, ERR_INVALID, "no column to print");
}

void list_choice_done(struct list_choice *ch)
{
	for (int i = 0; i < ch->nown; i++)
		free(ch->own[i]);
}

/* An item and the text that it is sorted by. */
struct keyed {
	const char *text;
	json_t *item;
};

static int compare(const void *a, const void *b)
{
	return str_natural(((const struct keyed *)a)->text, ((const struct keyed *)b)->text);
}

static json_t *sorted(const json_t *items, const char *field)
{
	size_t n = json_array_size(items), i;
	_free_ struct keyed *v = xcalloc(n + 1, sizeof(*v));
	json_t *out = json_array(), *item;

	json_array_foreach(items, i, item)
		v[i] = (struct keyed){ json_str(item, field, ""), item };
	qsort(v, n, sizeof(*v), compare);
	for (i = 0; i < n; i++)
		json_array_append(out, v[i].item);
	return out;
}

json_t *list_filtered(const struct list *l, const json_t *items, const char *const filters[],
		      int nfilters)
{
	_json_ json_t *kept = json_array();
	json_t *item;
	size_t i;

	assert(l->passes || nfilters == 0);
	json_array_foreach(items, i, item) {
		bool keep = true;

		for (int k = 0; keep && k < nfilters; k++)
			keep = l->passes(item, filters[k]);
		if (keep)
			json_array_append(kept, item);
	}
	return l->sort ? sorted(kept, l->sort) : take_ptr(kept);
}

static bool is_shown(const struct column *col, const json_t *items)
{
	bool shown = !col->unless_none;
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		_free_ char *text = shown ? NULL : col->cell(item, col->field);

		shown |= text && *text && strcmp(text, "none") != 0;
	}
	return shown;
}

struct table *list_table(const struct list *l, const struct list_choice *ch, const json_t *items)
{
	const struct column *shown[LIST_COLUMNS_MAX];
	const char *headers[LIST_COLUMNS_MAX];
	struct table *t;
	json_t *item;
	size_t i;
	int n = 0;

	for (int k = 0; k < ch->n; k++)
		if (is_shown(&ch->v[k], items))
			shown[n++] = &ch->v[k];
	for (int k = 0; k < n; k++)
		headers[k] = shown[k]->header;
	t = table_new(n, headers);
	json_array_foreach(items, i, item) {
		char *cells[LIST_COLUMNS_MAX];

		for (int k = 0; k < n; k++)
			cells[k] = shown[k]->cell(item, shown[k]->field);
		table_add(t, cells);
	}
	if (!l->sort)
		table_sort(t);
	return t;
}

/* What a command line asks for. */
struct asking {
	struct client *cl;
	struct object of; /* for a list of what belongs to an object */
	char *path;
	int first; /* of the filters */
};

static void asking_done(struct asking *a)
{
	object_close(&a->of);
	free(a->path);
}

static int open_list(struct cli *c, const struct list *l, struct asking *ret, struct err *err)
{
	const char *arg = args_pos(&c->args, 0);
	_free_ char *remote = NULL;

	if (l->of) {
		if (object_open_as(c, entity_named(l->of), arg, &ret->of, err) < 0)
			return -1;
		ret->cl = ret->of.cl;
		ret->path = api_path(l->path, ret->of.name);
		return 0;
	}
	if (!l->path)
		return 0;
	ret->path = api_path(l->path);
	if (l->passes) {
		ret->first = conf_is_remote(c->conf, arg, &remote);
		ret->cl = client_open(c, remote, err);
	} else {
		ret->cl = client_of_remote(c, arg, err);
	}
	return ret->cl ? 0 : -1;
}

static json_t *fetch(struct cli *c, const struct list *l, const struct asking *a, enum need need,
		     struct err *err)
{
	json_t *items;

	if (l->fetch)
		return l->fetch(c, a->cl, a->path, need, err);
	items = api_get(a->cl, a->path, err);
	if (!items && l->of)
		object_missing(&a->of, err);
	return items;
}

static int columns_of(struct cli *c, const struct list *l, const struct asking *a,
		      struct list_choice *ret, struct err *err)
{
	const char *letters = args_value(&c->args, "columns");

	if (l->choose)
		letters = l->choose(a->cl, err);
	if (l->choose && !letters)
		return -1;
	return list_choose(l, letters ? letters : l->letters, ret, err);
}

int c_list(struct cli *c, struct err *err)
{
	const struct list *l = list_of(c->args.words);
	_cleanup_(asking_done) struct asking a = { 0 };
	_cleanup_(list_choice_done) struct list_choice ch = { 0 };
	_json_ json_t *all = NULL, *items = NULL, *printed = NULL;
	_table_ struct table *t = NULL;
	enum fmt_kind kind;

	assert(l);
	if (open_list(c, l, &a, err) < 0 ||
	    fmt_parse(args_value(&c->args, "format"), &kind, err) < 0 ||
	    columns_of(c, l, &a, &ch, err) < 0)
		return -1;
	if ((kind == FMT_JSON || kind == FMT_YAML) && ch.need < USAGE)
		ch.need = USAGE;
	all = fetch(c, l, &a, ch.need, err);
	if (!all)
		return -1;
	items = list_filtered(l, all, c->args.pos + a.first,
			      l->passes ? c->args.npos - a.first : 0);
	if (l->printed)
		printed = l->printed(items);
	t = list_table(l, &ch, items);
	return fmt_print(t, printed ? printed : items, kind, err);
}
