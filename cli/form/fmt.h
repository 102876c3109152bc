/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/fmt.h - results on stdout: tables, and trees as JSON or YAML.
 *
 * `table` frames its cells with ASCII lines, `compact` has none, `csv` has no header; `json` and
 * `yaml` print the server's objects and not the cells.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/sbuf.h"

enum fmt_kind { FMT_TABLE, FMT_COMPACT, FMT_CSV, FMT_JSON, FMT_YAML };

/* NULL is the table. */
int fmt_parse(const char *name, enum fmt_kind *ret, struct err *err);

struct table;

/* Header texts are borrowed. */
struct table *table_new(int ncols, const char *const *headers);
void table_free(struct table *t);
/* A row of `ncols` cells, each taken over; NULL is an empty one. A cell may have several lines. */
void table_add(struct table *t, char **own_cells);
/* By the first column, then the next; numbers in the texts count as numbers. */
void table_sort(struct table *t);
void table_render(struct sbuf *b, const struct table *t, enum fmt_kind kind);
/* The table, or `objects` where the format wants them. */
int fmt_print(const struct table *t, const json_t *objects, enum fmt_kind kind, struct err *err);
int fmt_print_yaml(const json_t *j, struct err *err);
int fmt_print_json(const json_t *j, bool pretty, struct err *err);

static inline void cleanup_table(struct table **t)
{
	table_free(*t);
}
#define _table_ __attribute__((cleanup(cleanup_table)))

/* "2026/11/23 11:30 UTC" of an RFC 3339 time; "" for a time that was never set. */
char *fmt_time(const char *rfc3339);
/* "1.50MiB" and "1.50MB", as lxc prints sizes. */
char *fmt_size_iec(int64_t bytes);
char *fmt_size_si(int64_t bytes);
char *fmt_upper(const char *s);
