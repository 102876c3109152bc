/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/str.h"

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool have_event;
	const char *what;
	struct err *err;
};

static int fail_at(struct reader *r, const yaml_mark_t *at, const char *why)
{
	return err_set(r->err, ERR_INVALID, "%s: line %zu: %s", r->what, at->line + 1, why);
}

static int next(struct reader *r)
{
	if (r->have_event)
		yaml_event_delete(&r->event);
	r->have_event = yaml_parser_parse(&r->parser, &r->event);
	if (!r->have_event)
		return fail_at(r, &r->parser.problem_mark,
			       r->parser.problem ? r->parser.problem : "not valid YAML");
	return 0;
}

/* The decorations this reader has no use for: each is a way to hide content or to multiply it. */
static int check_plain(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return fail_at(r, &r->event.start_mark, "anchors are not accepted");
	if (tag)
		return fail_at(r, &r->event.start_mark, "tags are not accepted");
	return 0;
}

static bool is_one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static const char *const null_words[] = { "", "~", "null", "Null", "NULL" };
static const char *const true_words[] = { "true", "True", "TRUE" };
static const char *const false_words[] = { "false", "False", "FALSE" };

/* Only an integer that is written back with the same digits is one: "0755", "+1" and "0x1f" stay
 * text, so that nothing is lost where a string was meant. */
static bool is_integer(const char *s, int64_t *ret)
{
	const char *digits = s + (*s == '-');

	if (!str_to_i64(s, INT64_MIN, INT64_MAX, ret))
		return false;
	return digits[0] != '0' || (digits[1] == '\0' && digits == s);
}

static json_t *plain_value(const char *s)
{
	int64_t v;

	if (is_one_of(s, null_words, ARRAY_SIZE(null_words)))
		return json_null();
	if (is_one_of(s, true_words, ARRAY_SIZE(true_words)))
		return json_true();
	if (is_one_of(s, false_words, ARRAY_SIZE(false_words)))
		return json_false();
	if (is_integer(s, &v))
		return json_integer(v);
	return json_string(s);
}

static int check_scalar(struct reader *r)
{
	if (check_plain(r, r->event.data.scalar.anchor, r->event.data.scalar.tag) < 0)
		return -1;
	if (strlen((char *)r->event.data.scalar.value) != r->event.data.scalar.length)
		return fail_at(r, &r->event.start_mark, "a NUL byte in a string");
	return 0;
}

static json_t *read_node(struct reader *r, int left);

static json_t *read_scalar(struct reader *r)
{
	const char *s = (char *)r->event.data.scalar.value;
	json_t *v;

	if (check_scalar(r) < 0)
		return NULL;
	v = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(s) : json_string(s);
	if (!v)
		fail_at(r, &r->event.start_mark, "not valid UTF-8");
	return v;
}

static json_t *read_sequence(struct reader *r, int left)
{
	_json_ json_t *list = json_array();

	assert(r->event.type == YAML_SEQUENCE_START_EVENT);
	if (check_plain(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag))
		return NULL;
	for (;;) {
		json_t *item;

		if (next(r) < 0)
			return NULL;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return take_ptr(list);
		item = read_node(r, left - 1);
		if (!item)
			return NULL;
		json_array_append_new(list, item);
	}
}

static int read_pair(struct reader *r, json_t *map, int left)
{
	_free_ char *key = NULL;
	json_t *value;

	if (r->event.type != YAML_SCALAR_EVENT)
		return fail_at(r, &r->event.start_mark, "a key must be a string");
	if (check_scalar(r) < 0)
		return -1;
	key = xstrdup((char *)r->event.data.scalar.value);
	if (json_object_get(map, key))
		return fail_at(r, &r->event.start_mark, "the key appears twice");
	if (next(r) < 0)
		return -1;
	value = read_node(r, left - 1);
	if (!value)
		return -1;
	json_object_set_new(map, key, value);
	return 0;
}

static json_t *read_mapping(struct reader *r, int left)
{
	_json_ json_t *map = json_object();

	assert(r->event.type == YAML_MAPPING_START_EVENT);
	if (check_plain(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag))
		return NULL;
	for (;;) {
		if (next(r) < 0)
			return NULL;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return take_ptr(map);
		if (read_pair(r, map, left) < 0)
			return NULL;
	}
}

/* Reads the node that the present event opens, up to its last event. */
static json_t *read_node(struct reader *r, int left)
{
	if (left == 0) {
		fail_at(r, &r->event.start_mark, "nested too deeply");
		return NULL;
	}
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r);
	case YAML_SEQUENCE_START_EVENT:
		return read_sequence(r, left);
	case YAML_MAPPING_START_EVENT:
		return read_mapping(r, left);
	case YAML_ALIAS_EVENT:
		fail_at(r, &r->event.start_mark, "aliases are not accepted");
		return NULL;
	default:
		fail_at(r, &r->event.start_mark, "not valid YAML");
		return NULL;
	}
}

static json_t *read_stream(struct reader *r)
{
	_json_ json_t *root = NULL;

	if (next(r) < 0 || next(r) < 0)
		return NULL;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return json_null();
	if (next(r) < 0)
		return NULL;
	root = read_node(r, JSON_DEPTH_LIMIT);
	if (!root || next(r) < 0 || next(r) < 0)
		return NULL;
	if (r->event.type != YAML_STREAM_END_EVENT) {
		fail_at(r, &r->event.start_mark, "more than one document");
		return NULL;
	}
	return take_ptr(root);
}

json_t *yaml_parse(const char *text, size_t len, const char *what, struct err *err)
{
	struct reader r = { .what = what, .err = err };
	json_t *root;

	if (!yaml_parser_initialize(&r.parser)) {
		err_set(err, ERR_INTERNAL, "%s: the YAML parser did not start", what);
		return NULL;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	root = read_stream(&r);
	if (r.have_event)
		yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return root;
}

/* Skips digits, and underscores where YAML 1.1 allows them. */
static const char *skip_digits(const char *s, const char *also)
{
	while (isdigit((unsigned char)*s) || (*s && strchr(also, *s)))
		s++;
	return s;
}

/* "12", "1_000", "1.5", ".5", "1e3". */
static bool is_number(const char *s)
{
	const char *p;

	s += *s == '-' || *s == '+';
	if (!isdigit((unsigned char)*s) && !(*s == '.' && isdigit((unsigned char)s[1])))
		return false;
	p = skip_digits(s, "_");
	if (*p == '.')
		p = skip_digits(p + 1, "_");
	if (*p == 'e' || *p == 'E')
		p = skip_digits(p + 1 + (p[1] == '-' || p[1] == '+'), "");
	return *p == '\0';
}

/* "1:30" and "20:30:59.5" are numbers to the base of 60. */
static bool is_sexagesimal(const char *s)
{
	const char *p = skip_digits(s + (*s == '-' || *s == '+'), "_");

	if (p == s || *p != ':')
		return false;
	while (*p == ':') {
		const char *part = p + 1;

		p = skip_digits(part, "");
		if (p == part || p - part > 2 || (p - part == 2 && *part > '5'))
			return false;
	}
	if (*p == '.')
		p = skip_digits(p + 1, "_");
	return *p == '\0';
}

/* "2026-11-23", with or without a time behind. */
static bool is_date(const char *s)
{
	const char *month = skip_digits(s, ""), *day, *end;

	if (month - s != 4 || *month != '-')
		return false;
	day = skip_digits(month + 1, "");
	if (day == month + 1 || *day != '-')
		return false;
	end = skip_digits(day + 1, "");
	return end != day + 1 && (*end == '\0' || strchr("Tt \t", *end));
}

/* Other readers follow YAML 1.1, where "yes", "0x1f", "1:30", "1e3" and dates are no strings. */
static bool reads_as_other(const char *s)
{
	static const char *const words[] = { "y",     "n",     "yes",  "no", "on",   "off",
					     "true",  "false", "null", "~",  ".inf", "-.inf",
					     "+.inf", ".nan",  "<<",   "=" };

	if (!*s)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o' || s[1] == 'b'))
		return true;
	return is_number(s) || is_sexagesimal(s) || is_date(s);
}

static int write_out(void *sbuf, unsigned char *data, size_t len)
{
	sbuf_add(sbuf, data, len);
	return 1;
}

static void emit_text(yaml_emitter_t *em, const char *s, yaml_scalar_style_t style)
{
	yaml_event_t e;

	if (yaml_scalar_event_initialize(&e, NULL, NULL, (const unsigned char *)s, strlen(s), 1, 1,
					 style))
		yaml_emitter_emit(em, &e);
}

static void emit_string(yaml_emitter_t *em, const char *s)
{
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;

	if (reads_as_other(s))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	else if (strchr(s, '\n'))
		style = YAML_LITERAL_SCALAR_STYLE;
	emit_text(em, s, style);
}

static void emit_node(yaml_emitter_t *em, const json_t *j);

static void emit_list(yaml_emitter_t *em, const json_t *j)
{
	yaml_event_t e;
	json_t *item;
	size_t i;

	yaml_sequence_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);
	yaml_emitter_emit(em, &e);
	json_array_foreach(j, i, item)
		emit_node(em, item);
	yaml_sequence_end_event_initialize(&e);
	yaml_emitter_emit(em, &e);
}

static void emit_map(yaml_emitter_t *em, const json_t *j)
{
	yaml_event_t e;
	const char *key;
	json_t *value;

	yaml_mapping_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
	yaml_emitter_emit(em, &e);
	json_object_foreach((json_t *)j, key, value) {
		emit_string(em, key);
		emit_node(em, value);
	}
	yaml_mapping_end_event_initialize(&e);
	yaml_emitter_emit(em, &e);
}

static void emit_node(yaml_emitter_t *em, const json_t *j)
{
	char num[40];

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		emit_map(em, j);
		return;
	case JSON_ARRAY:
		emit_list(em, j);
		return;
	case JSON_STRING:
		emit_string(em, json_string_value(j));
		return;
	case JSON_INTEGER:
		snprintf(num, sizeof(num), "%" PRId64, (int64_t)json_integer_value(j));
		break;
	case JSON_REAL:
		snprintf(num, sizeof(num), "%.17g", json_real_value(j));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		str_copy(num, sizeof(num), json_is_true(j) ? "true" : "false");
		break;
	case JSON_NULL:
		str_copy(num, sizeof(num), "null");
		break;
	}
	emit_text(em, num, YAML_PLAIN_SCALAR_STYLE);
}

void yaml_emit(struct sbuf *b, const json_t *j)
{
	yaml_emitter_t em;
	yaml_event_t e;

	if (!yaml_emitter_initialize(&em))
		return;
	yaml_emitter_set_output(&em, write_out, b);
	yaml_emitter_set_unicode(&em, 1);
	yaml_emitter_set_width(&em, -1);
	yaml_emitter_set_indent(&em, 2);
	yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING);
	yaml_emitter_emit(&em, &e);
	yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1);
	yaml_emitter_emit(&em, &e);
	emit_node(&em, j);
	yaml_document_end_event_initialize(&e, 1);
	yaml_emitter_emit(&em, &e);
	yaml_stream_end_event_initialize(&e);
	yaml_emitter_emit(&em, &e);
	yaml_emitter_delete(&em);
}
