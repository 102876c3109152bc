/* SPDX-License-Identifier: Apache-2.0 */
/* monitor: the events of a server until the user stops it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"

enum form { FORM_YAML, FORM_JSON, FORM_PRETTY };

static int parse_form(const struct args *a, enum form *ret, struct err *err)
{
	static const char *const names[] = { "yaml", "json", "pretty" };
	const char *text = args_value(a, "format");

	*ret = args_flag(a, "pretty") ? FORM_PRETTY : FORM_YAML;
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "--format \"%.40s\": yaml, json or pretty", text);
}

static void print_context(const json_t *context)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)context, key, v) {
		_free_ char *text = json_is_string(v) ? xstrdup(json_string_value(v))
						      : json_text(v);

		printf(" %s=%s%s%s", key, strchr(text, ' ') ? "\"" : "", text,
		       strchr(text, ' ') ? "\"" : "");
	}
}

static void print_operation(const json_t *op)
{
	printf("%s: %s (%s)", json_str(op, "id", ""), json_str(op, "description", ""),
	       json_str(op, "status", ""));
	if (*json_str(op, "err", ""))
		printf(" error=\"%s\"", json_str(op, "err", ""));
	print_context(json_obj(op, "metadata"));
}

static void print_pretty(const json_t *e)
{
	const char *type = json_str(e, "type", ""), *where = json_str(e, "location", "");
	const json_t *m = json_obj(e, "metadata");
	_free_ char *level = fmt_upper(json_str(m, "level", "info"));

	printf("%-5s [%s] ", level, json_str(e, "timestamp", ""));
	if (*where && strcmp(where, "none") != 0)
		printf("[%s] ", where);
	if (strcmp(type, "operation") == 0) {
		print_operation(m);
	} else if (strcmp(type, "lifecycle") == 0) {
		printf("%s: %s", json_str(m, "action", ""), json_str(m, "source", ""));
		print_context(json_obj(m, "context"));
	} else {
		printf("%s", json_str(m, "message", ""));
		print_context(json_obj(m, "context"));
	}
	puts("");
}

static int level_of(const char *name)
{
	static const char *const names[] = { "error", "warning", "info", "debug", "trace" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(name, names[i]))
			return i;
	return str_eq(name, "warn") ? 1 : -1;
}

static bool is_wanted(const struct args *a, const json_t *e)
{
	const char *level = args_value(a, "loglevel");
	const json_t *m = json_obj(e, "metadata");

	if (!level || strcmp(json_str(e, "type", ""), "logging") != 0)
		return true;
	return level_of(json_str(m, "level", "info")) <= level_of(level);
}

static int print_event(const struct args *a, enum form form, const char *text, size_t len,
		       struct err *err)
{
	_json_ json_t *e = json_parse(text, len, "event", err);
	int r = 0;

	if (!e)
		return -1;
	if (!is_wanted(a, e))
		return 0;
	if (form == FORM_PRETTY) {
		print_pretty(e);
	} else if (form == FORM_JSON) {
		r = fmt_print_json(e, false, err);
	} else {
		r = fmt_print_yaml(e, err);
		puts("");
	}
	if (r == 0 && fflush(stdout) != 0)
		return err_sys(err, "cannot write the output");
	return r;
}

static char *events_path(const struct args *a)
{
	_sbuf_ struct sbuf types = SBUF(4096);
	char *path = xstrdup("/1.0/events");
	const char *t;

	for (int i = 0; (t = args_nth(a, "type", i)); i++)
		sbuf_printf(&types, "%s%s", i ? "," : "", t);
	if (types.len) /* the server splits at the commas */
		path = api_query(path, "type", types.data);
	return api_query(path, "all-projects", args_flag(a, "all-projects") ? "true" : NULL);
}

int c_monitor(struct cli *c, struct err *err)
{
	struct client *cl = client_of_remote(c, args_pos(&c->args, 0), err);
	_free_ char *path = events_path(&c->args);
	enum form form;
	struct ws *w;
	int r = 0;

	if (!cl || parse_form(&c->args, &form, err) < 0)
		return -1;
	if (args_value(&c->args, "loglevel") && level_of(args_value(&c->args, "loglevel")) < 0)
		return err_set(err, ERR_INVALID,
			       "--loglevel: error, warning, info, debug or trace");
	w = api_websocket(cl, path, err);
	if (!w)
		return -1;
	while (r == 0) {
		_free_ char *text = NULL;
		size_t len;
		int op = ws_recv(w, &text, &len, 0, err);

		if (op == WS_CLOSE)
			r = err_set(err, ERR_UNAVAILABLE, "the server ended the event stream");
		else if (op < 0)
			r = -1;
		else
			r = print_event(&c->args, form, text, len, err);
	}
	ws_free(w);
	return r;
}
