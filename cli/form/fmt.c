/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/fmt.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"

#define OUTPUT_MAX ((size_t)1 << 30)

struct table {
	int ncols;
	const char **headers;
	char ***rows;
	size_t nrows, room;
};

int fmt_parse(const char *name, enum fmt_kind *ret, struct err *err)
{
	static const char *const names[] = { "table", "compact", "csv", "json", "yaml" };

	*ret = FMT_TABLE;
	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	if (!name)
		return 0;
	return err_set(err, ERR_INVALID,
		       "unknown format \"%.40s\": table, compact, csv, json or yaml", name);
}

struct table *table_new(int ncols, const char *const *headers)
{
	struct table *t = xnew(struct table);

	assert(ncols > 0);
	t->ncols = ncols;
	t->headers = xcalloc(ncols, sizeof(*t->headers));
	memcpy(t->headers, headers, ncols * sizeof(*headers));
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t r = 0; r < t->nrows; r++) {
		for (int c = 0; c < t->ncols; c++)
			free(t->rows[r][c]);
		free(t->rows[r]);
	}
	free(t->rows);
	free(t->headers);
	free(t);
}

void table_add(struct table *t, char **own_cells)
{
	char **row = xcalloc(t->ncols + 1, sizeof(*row));

	assert(own_cells);
	if (t->nrows == t->room) {
		t->room = t->room ? t->room * 2 : 16;
		t->rows = xrealloc(t->rows, t->room * sizeof(*t->rows));
	}
	for (int c = 0; c < t->ncols; c++)
		row[c] = own_cells[c] ? own_cells[c] : xstrdup("");
	t->rows[t->nrows++] = row;
}

static int compare_rows(const void *a, const void *b)
{
	char *const *x = *(char ***)a, *const *y = *(char ***)b;
	int r = 0;

	for (int c = 0; r == 0 && x[c]; c++)
		r = str_natural(x[c], y[c]);
	return r;
}

void table_sort(struct table *t)
{
	if (t->nrows)
		qsort(t->rows, t->nrows, sizeof(*t->rows), compare_rows);
}

/* The first line of `s`: its bytes, and the columns that a terminal gives it. */
static size_t line_bytes(const char *s)
{
	return strcspn(s, "\n");
}

static int line_width(const char *s, size_t len)
{
	const char *end = s + len;
	mbstate_t state = { 0 };
	int width = 0;

	while (s < end) {
		wchar_t c;
		size_t n = mbrtowc(&c, s, (size_t)(end - s), &state);
		int w;

		if (n == 0 || n > (size_t)(end - s)) { /* no UTF-8: a terminal shows a mark */
			state = (mbstate_t){ 0 };
			n = 1;
			c = L'?';
		}
		w = wcwidth(c);
		width += w > 0 ? w : 0;
		s += n;
	}
	return width;
}

static int cell_width(const char *s)
{
	int width = 0;

	for (;;) {
		size_t len = line_bytes(s);
		int w = line_width(s, len);

		width = w > width ? w : width;
		if (!s[len])
			return width;
		s += len + 1;
	}
}

static int column_width(const struct table *t, int col)
{
	int width = cell_width(t->headers[col]);

	for (size_t r = 0; r < t->nrows; r++) {
		int w = cell_width(t->rows[r][col]);

		width = w > width ? w : width;
	}
	return width;
}

static void spaces(struct sbuf *b, int n)
{
	while (n-- > 0)
		sbuf_putc(b, ' ');
}

static void frame_line(struct sbuf *b, const int *widths, int ncols)
{
	for (int c = 0; c < ncols; c++) {
		sbuf_putc(b, '+');
		for (int i = 0; i < widths[c] + 2; i++)
			sbuf_putc(b, '-');
	}
	sbuf_puts(b, "+\n");
}

/* One text line of a row: the n-th line of each cell. False when no cell had one. */
static bool row_line(struct sbuf *b, const struct table *t, const char **rest, const int *widths,
		     bool framed)
{
	bool more = false;
	size_t trim = b->len;

	for (int c = 0; c < t->ncols; c++) {
		const char *s = rest[c] ? rest[c] : "";
		size_t len = line_bytes(s);

		sbuf_puts(b, framed ? "| " : "  ");
		sbuf_add(b, s, len);
		if (len)
			trim = b->len;
		spaces(b, widths[c] - line_width(s, len) + (framed ? 1 : 0));
		rest[c] = rest[c] && s[len] ? s + len + 1 : NULL;
		more |= rest[c] != NULL;
	}
	if (framed)
		sbuf_putc(b, '|');
	else if (b->data && trim < b->len)
		b->data[b->len = trim] = '\0';
	sbuf_putc(b, '\n');
	return more;
}

static void render_row(struct sbuf *b, const struct table *t, char *const *cells, const int *widths,
		       bool framed)
{
	_free_ const char **rest = xcalloc(t->ncols + 1, sizeof(*rest));

	for (int c = 0; c < t->ncols; c++)
		rest[c] = cells[c];
	while (row_line(b, t, rest, widths, framed))
		;
}

static void render_header(struct sbuf *b, const struct table *t, const int *widths, bool framed)
{
	for (int c = 0; c < t->ncols; c++) {
		int gap = widths[c] - cell_width(t->headers[c]);

		sbuf_puts(b, framed ? "| " : "  ");
		spaces(b, framed ? gap / 2 : 0);
		sbuf_puts(b, t->headers[c]);
		if (framed || c + 1 < t->ncols)
			spaces(b, (framed ? gap - gap / 2 + 1 : gap));
	}
	sbuf_puts(b, framed ? "|\n" : "\n");
}

static void render_frame(struct sbuf *b, const struct table *t, bool framed)
{
	_free_ int *widths = xcalloc(t->ncols + 1, sizeof(*widths));

	for (int c = 0; c < t->ncols; c++)
		widths[c] = column_width(t, c);
	if (framed)
		frame_line(b, widths, t->ncols);
	render_header(b, t, widths, framed);
	if (framed)
		frame_line(b, widths, t->ncols);
	for (size_t r = 0; r < t->nrows; r++) {
		render_row(b, t, t->rows[r], widths, framed);
		if (framed)
			frame_line(b, widths, t->ncols);
	}
}

/* Widths are those of UTF-8, whatever the user's locale says. */
static void render_columns(struct sbuf *b, const struct table *t, bool framed)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t old = utf8 ? uselocale(utf8) : (locale_t)0;

	render_frame(b, t, framed);
	if (!utf8)
		return;
	uselocale(old);
	freelocale(utf8);
}

/* Quotes as RFC 4180 wants them. */
static void csv_cell(struct sbuf *b, const char *s)
{
	if (!strpbrk(s, ",\"\r\n") && *s != ' ') {
		sbuf_puts(b, s);
		return;
	}
	sbuf_putc(b, '"');
	for (; *s; s++) {
		if (*s == '"')
			sbuf_putc(b, '"');
		sbuf_putc(b, *s);
	}
	sbuf_putc(b, '"');
}

static void render_csv(struct sbuf *b, const struct table *t)
{
	for (size_t r = 0; r < t->nrows; r++) {
		for (int c = 0; c < t->ncols; c++) {
			if (c)
				sbuf_putc(b, ',');
			csv_cell(b, t->rows[r][c]);
		}
		sbuf_putc(b, '\n');
	}
}

void table_render(struct sbuf *b, const struct table *t, enum fmt_kind kind)
{
	if (kind == FMT_CSV)
		render_csv(b, t);
	else
		render_columns(b, t, kind == FMT_TABLE);
}

static int print_out(const struct sbuf *b, struct err *err)
{
	if (b->overflow)
		return err_set(err, ERR_TOO_LARGE, "the output is larger than %zu MiB",
			       OUTPUT_MAX >> 20);
	if (b->len && fwrite(b->data, 1, b->len, stdout) != b->len)
		return err_sys(err, "cannot write the output");
	return 0;
}

int fmt_print_yaml(const json_t *j, struct err *err)
{
	_sbuf_ struct sbuf b = SBUF(OUTPUT_MAX);

	yaml_emit(&b, j);
	return print_out(&b, err);
}

int fmt_print_json(const json_t *j, bool pretty, struct err *err)
{
	size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);

	if (json_dumpf(j, stdout, flags) < 0 || putchar('\n') == EOF)
		return err_sys(err, "cannot write the output");
	return 0;
}

int fmt_print(const struct table *t, const json_t *objects, enum fmt_kind kind, struct err *err)
{
	_sbuf_ struct sbuf b = SBUF(OUTPUT_MAX);

	if (kind == FMT_JSON)
		return fmt_print_json(objects, false, err);
	if (kind == FMT_YAML)
		return fmt_print_yaml(objects, err);
	table_render(&b, t, kind);
	return print_out(&b, err);
}

char *fmt_time(const char *rfc3339)
{
	time_t when = rfc3339 ? clock_parse(rfc3339) : -1;
	struct tm tm;
	char buf[40];

	if (when <= 0 || !gmtime_r(&when, &tm))
		return xstrdup("");
	strftime(buf, sizeof(buf), "%Y/%m/%d %H:%M UTC", &tm);
	return xstrdup(buf);
}

static char *size_in(int64_t bytes, double step, const char *const *units, int nunits)
{
	double v = bytes;
	int u = 0;

	if (bytes < step)
		return xasprintf("%" PRId64 "B", bytes);
	while (v >= step && u + 1 < nunits) {
		v /= step;
		u++;
	}
	return xasprintf("%.2f%s", v, units[u]);
}

char *fmt_size_iec(int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };

	return size_in(bytes, 1024, units, ARRAY_SIZE(units));
}

char *fmt_size_si(int64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };

	return size_in(bytes, 1000, units, ARRAY_SIZE(units));
}

char *fmt_upper(const char *s)
{
	char *up = xstrdup(s ? s : "");

	for (char *p = up; *p; p++)
		*p = toupper((unsigned char)*p);
	return up;
}
