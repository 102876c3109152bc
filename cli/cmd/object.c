/* SPDX-License-Identifier: Apache-2.0 */
/* show, create, get, set, unset, edit, delete and rename of kinds that cmds.def has. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/form/term.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"

#define EDIT_MAX (16 << 20)

static const char edit_head[] =
	"### This is the %s as YAML. Lines that begin with '#' are ignored.\n"
	"### Save and leave the editor to apply it.\n\n";

static json_t *shown(const struct object *o, json_t *obj, bool expanded)
{
	_json_ json_t *picked = NULL;

	if (expanded && json_obj(obj, "expanded_config")) {
		json_object_set(obj, "config", json_obj(obj, "expanded_config"));
		json_object_set(obj, "devices", json_obj(obj, "expanded_devices"));
	}
	if (!o->kind->show_put)
		return config_sorted(obj);
	picked = pick_fields(obj, o->kind->put);
	return config_sorted(picked);
}

int c_show(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *obj = NULL, *out = NULL;

	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	obj = object_read(&o, err);
	if (!obj)
		return -1;
	out = shown(&o, obj, args_flag(&c->args, "expanded"));
	return fmt_print_yaml(out, err);
}

/* Of a kind that needs no more than a name and what may be written, which YAML may give. */
int c_create_object(struct cli *c, struct err *err)
{
	const struct entity *kind = entity_of(c->args.words);
	_free_ char *list = xasprintf("/1.0/%.*s", (int)strcspn(kind->path, "%") - 1, kind->path);
	const char *name;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_json_ json_t *given = NULL, *body = NULL;

	if (!cl)
		return -1;
	given = stdin_yaml(err);
	if (!given && err->kind != ERR_NONE)
		return -1;
	body = given ? pick_fields(given, kind->put) : json_object();
	config_to_strings(body);
	json_put_str(body, "name", name);
	json_put_str(body, "description", args_value(&c->args, "description"));
	if (api_do(cl, "POST", list, body, err) < 0)
		return -1;
	cli_say(c, "%c%s %s created\n", toupper((unsigned char)kind->noun[0]), kind->noun + 1,
		name);
	return 0;
}

/* "config set core.https_address=..." has no instance: keys of the server have a dot or '='. */
static int first_key(const struct cli *c)
{
	const struct entity *kind = entity_of(c->args.words);
	const char *arg = args_pos(&c->args, 0);
	size_t colon = strcspn(arg, ":=");

	if (!kind->or_server)
		return entity_names(kind);
	if (arg[colon] == ':' && !arg[colon + 1])
		return 1;
	return strpbrk(arg, ".=") ? 0 : 1;
}

static int open_for_key(struct cli *c, struct object *o, int *ret_first, struct err *err)
{
	*ret_first = first_key(c);
	if (c->args.npos <= *ret_first)
		return err_set(err, ERR_INVALID, "the key is missing. Usage: dunlin %s %s",
			       c->args.cmd->words, c->args.cmd->usage);
	return object_open(c, *ret_first ? args_pos(&c->args, 0) : NULL, o, err);
}

static int print_value(const json_t *v, struct err *err)
{
	if (!v || json_is_null(v))
		return puts("") == EOF ? err_sys(err, "cannot write the output") : 0;
	if (json_is_object(v) || json_is_array(v))
		return fmt_print_yaml(v, err);
	if (json_is_string(v))
		return puts(json_string_value(v)) == EOF ? err_sys(err, "cannot write the output")
							 : 0;
	return fmt_print_json(v, false, err);
}

int c_get(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *obj = NULL;
	const char *map, *key;
	int first;

	if (open_for_key(c, &o, &first, err) < 0)
		return -1;
	obj = object_read(&o, err);
	if (!obj)
		return -1;
	key = args_pos(&c->args, first);
	map = args_flag(&c->args, "expanded") ? "expanded_config" : o.kind->map;
	if (args_flag(&c->args, "property"))
		return print_value(json_object_get(obj, key), err);
	return print_value(json_object_get(json_obj(obj, map), key), err);
}

struct change {
	const struct cli *c;
	const char *map;
	json_t *values; /* key -> text, or null to remove */
};

/* What the property held decides its type. */
static int set_property(json_t *obj, const char *key, const char *text, struct err *err)
{
	json_t *old = json_object_get(obj, key);
	bool on;

	if (!old)
		return err_set(err, ERR_INVALID, "there is no property \"%.80s\"", key);
	if (json_is_boolean(old)) {
		if (!str_to_bool(text, &on))
			return err_set(err, ERR_INVALID, "property \"%s\" is true or false", key);
		json_put_bool(obj, key, on);
		return 0;
	}
	if (!json_is_string(old))
		return err_set(err, ERR_INVALID, "property \"%.80s\" cannot be set here: use edit",
			       key);
	json_put_str(obj, key, text);
	return 0;
}

static int apply(json_t *obj, void *arg, struct err *err)
{
	struct change *ch = arg;
	bool property = args_flag(&ch->c->args, "property");
	const char *key;
	json_t *v, *map;

	if (!property && !json_obj(obj, ch->map))
		json_object_set_new(obj, ch->map, json_object());
	map = json_obj(obj, ch->map);
	json_object_foreach(ch->values, key, v) {
		if (property) {
			if (set_property(obj, key, json_is_null(v) ? "" : json_string_value(v),
					 err) < 0)
				return -1;
		} else if (json_is_null(v)) {
			json_object_del(map, key);
		} else {
			json_object_set(map, key, v);
		}
	}
	return 0;
}

int c_set(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *values = NULL;
	struct change ch = { .c = c };
	int first;

	if (open_for_key(c, &o, &first, err) < 0)
		return -1;
	values = kv_object(&c->args, first, err);
	if (!values)
		return -1;
	ch.map = o.kind->map;
	ch.values = values;
	return object_update(&o, apply, &ch, err);
}

int c_unset(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *values = json_object();
	struct change ch = { .c = c, .values = values };
	int first;

	if (open_for_key(c, &o, &first, err) < 0)
		return -1;
	for (int i = first; i < c->args.npos; i++)
		json_object_set_new(values, args_pos(&c->args, i), json_null());
	ch.map = o.kind->map;
	return object_update(&o, apply, &ch, err);
}

/* Fields that show prints but nobody may write are dropped; unknown ones are mistakes. */
static int take_edited(json_t *obj, const struct entity *kind, const char *text, size_t len,
		       struct err *err)
{
	_json_ json_t *edited = yaml_parse(text, len, kind->noun, err);
	const char *key;
	json_t *v;
	_json_ json_t *writable = NULL;
	void *tmp;

	if (!edited)
		return -1;
	if (!json_is_object(edited))
		return err_set(err, ERR_INVALID, "%s: must be a YAML mapping", kind->noun);
	json_object_foreach(edited, key, v)
		if (!json_object_get(obj, key) && !word_in(kind->put, key))
			return err_set(err, ERR_INVALID, "%s: unknown field \"%.80s\"", kind->noun,
				       key);
	writable = pick_fields(edited, kind->put);
	config_to_strings(writable);
	json_object_foreach_safe(obj, tmp, key, v)
		json_object_del(obj, key);
	json_object_update(obj, writable);
	return 0;
}

struct editing {
	const struct object *o;
	char *text;  /* the last version, kept when it was refused */
	bool reopen; /* in the editor, though there is a text */
};

static char *edit_in_terminal(struct editing *e, json_t *obj, struct err *err)
{
	_sbuf_ struct sbuf b = SBUF(EDIT_MAX);
	size_t len;

	if (!e->text) {
		_json_ json_t *writable = pick_fields(obj, e->o->kind->put);
		_json_ json_t *sorted = config_sorted(writable);

		sbuf_printf(&b, edit_head, e->o->kind->noun);
		yaml_emit(&b, sorted);
	}
	return term_edit(e->text ? e->text : b.data, ".yaml", &len, err);
}

/* An update that is repeated because the object changed takes the same text again. */
static int change_by_edit(json_t *obj, void *arg, struct err *err)
{
	struct editing *e = arg;
	char *text;
	size_t len;

	if (!e->text || e->reopen) {
		text = isatty(STDIN_FILENO) ? edit_in_terminal(e, obj, err)
					    : term_read_all(EDIT_MAX, &len, err);
		if (!text)
			return -1;
		free(e->text);
		e->text = text;
		e->reopen = false;
	}
	return take_edited(obj, e->o->kind, e->text, strlen(e->text), err);
}

static bool try_again(struct editing *e, const struct err *err)
{
	if (!e->text || err->kind == ERR_CANCELLED || !isatty(STDIN_FILENO))
		return false;
	fprintf(stderr, "Error: %s\n", err->msg);
	e->reopen = true;
	return term_confirm("Open the editor again?");
}

int c_edit(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	struct editing e = { .o = &o };
	int r;

	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	r = object_update(&o, change_by_edit, &e, err);
	while (r < 0 && try_again(&e, err))
		r = object_update(&o, change_by_edit, &e, err);
	free(e.text);
	return r;
}

static void say_done(const struct object *o, const char *done)
{
	_free_ char *noun = xstrdup(o->kind->noun);

	if (*noun >= 'a' && *noun <= 'z')
		*noun += 'A' - 'a';
	cli_say(client_cli(o->cl), "%s %s %s\n", noun, o->name, done);
}

int c_delete_object(struct cli *c, struct err *err)
{
	for (int i = 0; i < c->args.npos; i++) {
		_object_ struct object o = { 0 };

		if (object_open(c, args_pos(&c->args, i), &o, err) < 0)
			return -1;
		if (api_do(o.cl, "DELETE", o.path, NULL, err) < 0)
			return object_missing(&o, err);
		say_done(&o, "deleted");
	}
	return 0;
}

int c_rename_object(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *body = json_object();
	const char *field;

	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	field = o.kind->name_field ? o.kind->name_field : "name";
	json_put_str(body, field, args_pos(&c->args, 1));
	if (api_do(o.cl, "POST", o.path, body, err) < 0)
		return -1;
	cli_say(c, "Renamed %s %s to %s\n", o.kind->noun, o.name, args_pos(&c->args, 1));
	return 0;
}
