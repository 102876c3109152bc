/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/filter.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define TEXT_MAX 4096
#define CLAUSES_MAX 64
#define WORDS_MAX (CLAUSES_MAX * 5)

struct clause {
	bool or_before; /* joined to what stands left of it by "or", else "and" */
	bool negate, not_equal;
	char *field, *value;
	regex_t re;
	bool has_re;
};

struct filter {
	struct clause v[CLAUSES_MAX];
	size_t n;
};

/* --- parsing --------------------------------------------------------------------------------- */

struct words {
	char *v[WORDS_MAX];
	size_t n, at;
};

static void words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
}

/* Splits at blanks outside of double quotes, which are dropped. */
static int split_words(const char *s, struct words *w, struct err *err)
{
	while (*s) {
		struct sbuf b = SBUF(TEXT_MAX);
		bool quoted = false;

		while (isspace((unsigned char)*s))
			s++;
		if (!*s)
			break;
		for (; *s && (quoted || !isspace((unsigned char)*s)); s++) {
			if (*s == '"')
				quoted = !quoted;
			else
				sbuf_putc(&b, *s);
		}
		if (w->n == WORDS_MAX || quoted) {
			sbuf_free(&b);
			return err_set(err, ERR_INVALID, "filter: %s",
				       quoted ? "unterminated quote" : "too many words");
		}
		w->v[w->n++] = sbuf_take(&b);
	}
	return 0;
}

static char *next_word(struct words *w)
{
	return w->at < w->n ? w->v[w->at++] : NULL;
}

static int parse_operator(const char *word, bool *ret_not_equal, struct err *err)
{
	if (strcasecmp(word, "eq") == 0 || strcasecmp(word, "ne") == 0) {
		*ret_not_equal = strcasecmp(word, "ne") == 0;
		return 0;
	}
	return err_set(err, ERR_INVALID, "filter: invalid operator \"%.40s\" (eq, ne)", word);
}

static void compile(struct clause *c)
{
	bool anchored = strpbrk(c->value, "^$") != NULL;
	_free_ char *text = anchored ? xstrdup(c->value) : xasprintf("^(%s)$", c->value);

	c->has_re = regcomp(&c->re, text, REG_EXTENDED | REG_ICASE | REG_NOSUB) == 0;
}

static int parse_clause(struct words *w, struct clause *c, struct err *err)
{
	char *word = next_word(w);

	if (word && strcasecmp(word, "not") == 0) {
		c->negate = true;
		word = next_word(w);
		if (!word)
			return err_set(err, ERR_INVALID, "filter: incomplete not clause");
	}
	if (!word)
		return err_set(err, ERR_INVALID, "filter: unterminated compound clause");
	c->field = xstrdup(word);
	word = next_word(w);
	if (!word)
		return err_set(err, ERR_INVALID, "filter: clause has no operator");
	if (parse_operator(word, &c->not_equal, err) < 0)
		return -1;
	word = next_word(w);
	if (!word)
		return err_set(err, ERR_INVALID, "filter: clause has no value");
	c->value = xstrdup(word);
	compile(c);
	return 0;
}

static int parse_all(struct words *w, struct filter *f, struct err *err)
{
	for (;;) {
		struct clause *c = &f->v[f->n++];
		const char *join;

		if (parse_clause(w, c, err) < 0)
			return -1;
		join = next_word(w);
		if (!join)
			return 0;
		if (strcasecmp(join, "and") != 0 && strcasecmp(join, "or") != 0)
			return err_set(err, ERR_INVALID, "filter: invalid clause composition");
		if (f->n == CLAUSES_MAX)
			return err_set(err, ERR_INVALID, "filter: more than %d clauses",
				       CLAUSES_MAX);
		f->v[f->n].or_before = strcasecmp(join, "or") == 0;
	}
}

struct filter *filter_parse(const char *text, bool *ret_ok, struct err *err)
{
	struct words w = { .n = 0 };
	struct filter *f = NULL;

	*ret_ok = true;
	if (text && strlen(text) > TEXT_MAX) {
		*ret_ok = false;
		err_set(err, ERR_INVALID, "filter: longer than %d bytes", TEXT_MAX);
		return NULL;
	}
	*ret_ok = !text || split_words(text, &w, err) == 0;
	if (*ret_ok && w.n) {
		f = xnew(struct filter);
		*ret_ok = parse_all(&w, f, err) == 0;
	}
	words_free(&w);
	if (!*ret_ok) {
		filter_free(f);
		return NULL;
	}
	return f;
}

void filter_free(struct filter *f)
{
	for (size_t i = 0; f && i < f->n; i++) {
		free(f->v[i].field);
		free(f->v[i].value);
		if (f->v[i].has_re)
			regfree(&f->v[i].re);
	}
	free(f);
}

/* --- matching -------------------------------------------------------------------------------- */

/* Names may hold dots themselves: the longest name that exists wins. Borrowed. */
static json_t *resolve(const json_t *obj, const char *path)
{
	json_t *v = json_object_get(obj, path);
	const char *dot = path + strlen(path);

	while (!v && dot > path) {
		_free_ char *name = NULL;
		json_t *inner;

		if (*--dot != '.')
			continue;
		name = xstrndup(path, dot - path);
		inner = json_object_get(obj, name);
		if (inner)
			v = resolve(inner, dot + 1);
	}
	return v;
}

static bool clause_equal(const struct clause *c, const json_t *v)
{
	_free_ char *text = NULL;

	if (!v)
		return false;
	if (json_is_string(v))
		return c->has_re && regexec(&c->re, json_string_value(v), 0, NULL, 0) == 0;
	text = json_text(v);
	return strcasecmp(text, c->value) == 0;
}

static bool clause_match(const struct clause *c, const json_t *object)
{
	bool yes = clause_equal(c, resolve(object, c->field)) != c->not_equal;

	return yes != c->negate;
}

bool filter_match(const struct filter *f, const json_t *object)
{
	bool yes;

	if (!f)
		return true;
	yes = clause_match(&f->v[0], object);
	for (size_t i = 1; i < f->n; i++) {
		bool next = clause_match(&f->v[i], object);

		yes = f->v[i].or_before ? yes || next : yes && next;
	}
	return yes;
}
