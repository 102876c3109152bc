/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/kv.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cli/form/cli.h"
#include "cli/form/term.h"

#define VALUE_MAX (4 << 20)

void cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

int kv_split(const char *arg, char **ret_key, const char **ret_value, struct err *err)
{
	const char *eq = strchr(arg, '=');

	if (!eq || eq == arg)
		return err_set(err, ERR_INVALID, "\"%.100s\" is not of the form KEY=VALUE", arg);
	*ret_key = xstrndup(arg, eq - arg);
	*ret_value = eq + 1;
	return 0;
}

static int put_value(json_t *obj, const char *key, const char *value, struct err *err)
{
	_free_ char *text = NULL;
	json_t *v;
	size_t len;

	if (strcmp(value, "-") == 0) {
		text = term_read_all(VALUE_MAX, &len, err);
		if (!text)
			return -1;
		value = text;
	}
	v = json_string(value);
	if (!v)
		return err_set(err, ERR_INVALID, "the value of \"%.80s\" is not valid UTF-8", key);
	json_object_set_new(obj, key, v);
	return 0;
}

static int put_pair(json_t *obj, const char *arg, struct err *err)
{
	_free_ char *key = NULL;
	const char *value;

	if (kv_split(arg, &key, &value, err) < 0)
		return -1;
	return put_value(obj, key, value, err);
}

json_t *kv_object(const struct args *a, int first, struct err *err)
{
	_json_ json_t *obj = json_object();

	assert(first <= a->npos);
	if (a->npos - first == 2 && !strchr(a->pos[first], '=')) {
		if (put_value(obj, a->pos[first], a->pos[first + 1], err) < 0)
			return NULL;
		return take_ptr(obj);
	}
	for (int i = first; i < a->npos; i++)
		if (put_pair(obj, a->pos[i], err) < 0)
			return NULL;
	return take_ptr(obj);
}

int kv_options(const struct args *a, const char *opt, json_t *obj, struct err *err)
{
	const char *v;

	for (int i = 0; (v = args_nth(a, opt, i)); i++)
		if (put_pair(obj, v, err) < 0)
			return -1;
	return 0;
}

static int put_device(json_t *devices, const char *arg, struct err *err)
{
	const char *comma = strchr(arg, ',');
	_free_ char *name = NULL;

	if (!comma || comma == arg)
		return err_set(err, ERR_INVALID, "\"%.100s\" is not of the form DEVICE,KEY=VALUE",
			       arg);
	name = xstrndup(arg, comma - arg);
	if (!json_obj(devices, name))
		json_object_set_new(devices, name, json_object());
	return put_pair(json_obj(devices, name), comma + 1, err);
}

int kv_devices(const struct args *a, const char *opt, json_t *devices, struct err *err)
{
	const char *v;

	for (int i = 0; (v = args_nth(a, opt, i)); i++)
		if (put_device(devices, v, err) < 0)
			return -1;
	return 0;
}

static void map_to_strings(json_t *map)
{
	const char *key;
	json_t *v;

	json_object_foreach(map, key, v) {
		_free_ char *text = NULL;

		if (json_is_string(v) || json_is_object(v) || json_is_array(v))
			continue;
		text = json_is_null(v) ? xstrdup("") : json_text(v);
		json_object_set_new(map, key, json_string(text));
	}
}

void config_to_strings(json_t *obj)
{
	const char *name;
	json_t *device;

	map_to_strings(json_obj(obj, "config"));
	map_to_strings(json_obj(obj, "properties"));
	json_object_foreach(json_obj(obj, "devices"), name, device)
		map_to_strings(device);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted_map(const json_t *map)
{
	size_t n = json_object_size(map), i = 0;
	_free_ const char **keys = xcalloc(n + 1, sizeof(*keys));
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)map, key, v)
		keys[i++] = key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 0; i < n; i++) {
		v = json_object_get(map, keys[i]);
		json_object_set_new(out, keys[i],
				    json_is_object(v) ? sorted_map(v) : json_incref(v));
	}
	return out;
}

json_t *config_sorted(const json_t *obj)
{
	static const char *const maps[] = { "config", "devices", "properties", "expanded_config",
					    "expanded_devices" };
	json_t *out = json_copy((json_t *)obj);

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		const json_t *map = json_obj(out, maps[i]);

		if (map)
			json_object_set_new(out, maps[i], sorted_map(map));
	}
	return out;
}

json_t *pick_fields(const json_t *obj, const char *fields)
{
	json_t *out = json_object();

	while (*fields) {
		size_t len = strcspn(fields, " ");
		_free_ char *name = xstrndup(fields, len);
		json_t *v = json_object_get(obj, name);

		if (v)
			json_object_set(out, name, v);
		fields += len + strspn(fields + len, " ");
	}
	return out;
}

bool word_in(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; len && (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

char *url_name(const char *url)
{
	_free_ char *path = xstrndup(url, strcspn(url, "?"));
	char *slash = strrchr(path, '/');
	char *name = xstrdup(slash ? slash + 1 : path);

	str_url_decode(name, false);
	return name;
}

char *token_text(const json_t *meta, const char *name_field, const char *name)
{
	_json_ json_t *t = json_object();
	_free_ char *text = NULL;
	const char *expires = json_str(meta, "expiresAt", json_str(meta, "expires_at", NULL));

	json_put_str(t, name_field, name);
	json_put_str(t, "fingerprint", json_str(meta, "fingerprint", ""));
	json_object_set(t, "addresses", json_object_get(meta, "addresses"));
	json_put_str(t, "secret", json_str(meta, "secret", ""));
	json_put_str(t, "expires_at", expires ? expires : "0001-01-01T00:00:00Z");
	text = json_text(t);
	return base64_encode(text, strlen(text));
}

/* A file that somebody reads line by line, or a pipe that nobody writes to, is not meant for us. */
static bool stdin_is_given(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	struct stat st;

	if (fstat(STDIN_FILENO, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return st.st_size > 0 && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0;
	return S_ISFIFO(st.st_mode) && poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

json_t *stdin_yaml(struct err *err)
{
	_free_ char *text = NULL;
	json_t *j;
	size_t len;

	err->kind = ERR_NONE;
	if (!stdin_is_given())
		return NULL;
	text = term_read_all(VALUE_MAX, &len, err);
	j = text && len ? yaml_parse(text, len, "standard input", err) : NULL;
	if (j && !json_is_object(j)) {
		err->kind = ERR_NONE;
		if (!json_is_null(j))
			err_set(err, ERR_INVALID, "standard input: must be a YAML mapping");
		json_decref(j);
		return NULL;
	}
	return j;
}
