/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd/list.h - lists of things: one LIST row of cli/cmds.def each.
 *
 * A row says what is asked for and what is shown of each item; all formats, --columns, filters
 * and sorting follow from it.
 */
#pragma once
#include "cli/form/cell.h"
#include "cli/net/client.h"

/* What has to be asked for: the object, its running state, what it uses there, its volume. */
enum need { OBJECT, STATE, USAGE, DISK };

struct column {
	const char *header; /* NULL after the last */
	char *(*cell)(const json_t *item, const char *field);
	const char *field;
	char letter;      /* for --columns */
	bool unless_none; /* left out when it is empty or "none" for all items */
	enum need need;
};

/* A row of columns: heading, function that shows it, field, what else there is. */
#define COL(title, shows, where, ...) \
	{ .header = title, .cell = shows, .field = where, ##__VA_ARGS__ },

struct list {
	const char *words; /* of the command */
	const char *path;  /* below /1.0; NULL: no server is asked. A %s is for the argument, */
	const char *of;    /* which is an object of the kind with these words */
	const struct column *columns;
	/* --columns is taken; without it these are shown, or what `choose` answers. */
	const char *letters;
	const char *(*choose)(struct client *cl, struct err *err);
	bool keys; /* configuration keys are columns, too */
	/* Arguments are filters; an item is listed when it passes all. */
	bool (*passes)(const json_t *item, const char *filter);
	/* Answers the items, instead of a GET of the path. */
	json_t *(*fetch)(struct cli *c, struct client *cl, const char *path, enum need need,
			 struct err *err);
	/* What json and yaml show instead of the items. */
	json_t *(*printed)(const json_t *items);
	const char *sort; /* items are sorted by this field, not by what is shown */
};

/* The row of a command; NULL when it is no list. */
const struct list *list_of(const char *words);

/* The columns that are shown. */
#define LIST_COLUMNS_MAX 40

struct list_choice {
	struct column v[LIST_COLUMNS_MAX];
	char *own[2 * LIST_COLUMNS_MAX];
	int n, nown;
	enum need need;
};

/* Letters, and keys with a dot ("user.x", "user.x:TITLE"), by commas; NULL is every column. */
int list_choose(const struct list *l, const char *text, struct list_choice *ret, struct err *err);
void list_choice_done(struct list_choice *ch);
/* Sorted copies of the items that pass all filters. */
json_t *list_filtered(const struct list *l, const json_t *items, const char *const filters[],
		      int nfilters);
/* The caller frees. */
struct table *list_table(const struct list *l, const struct list_choice *ch, const json_t *items);

/* What rows of single lists name. */
extern const struct column instance_columns[], image_columns[];
const char *instance_letters(struct client *cl, struct err *err);
bool instance_passes(const json_t *inst, const char *filter);
json_t *instance_items(struct cli *c, struct client *cl, const char *path, enum need need,
		       struct err *err);
bool image_passes(const json_t *image, const char *filter);
bool alias_passes(const json_t *alias, const char *filter);
char *cell_common_name(const json_t *cert, const char *field);
char *cell_issued(const json_t *cert, const char *field);
char *cell_expires(const json_t *cert, const char *field);
json_t *member_items(struct cli *c, struct client *cl, const char *path, enum need need,
		     struct err *err);
json_t *join_token_items(struct cli *c, struct client *cl, const char *path, enum need need,
			 struct err *err);
json_t *trust_token_items(struct cli *c, struct client *cl, const char *path, enum need need,
			  struct err *err);
json_t *operation_items(struct cli *c, struct client *cl, const char *path, enum need need,
			struct err *err);
json_t *remote_items(struct cli *c, struct client *cl, const char *path, enum need need,
		     struct err *err);
json_t *remote_printed(const json_t *items);
json_t *file_items(struct cli *c, struct client *cl, const char *path, enum need need,
		   struct err *err);
