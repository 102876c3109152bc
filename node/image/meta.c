/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image/image_int.h"

#include <archive_entry.h>
#include <string.h>
#include <time.h>

#include "base/arch.h"
#include "base/mem.h"
#include "base/str.h"

#define TEMPLATE_FOLDER "templates/"

static int read_text(struct image_entry *e, size_t max, struct sbuf *b, struct err *err)
{
	const void *data;
	size_t len;
	int64_t off;
	int rc;

	*b = SBUF(max);
	if (e->link || archive_entry_filetype(e->ae) != AE_IFREG)
		return err_set(err, ERR_INVALID, "image: \"%.200s\" is no regular file", e->path);
	while ((rc = image_entry_data(e, &data, &len, &off, err)) > 0) {
		sbuf_add(b, data, len);
		if (b->overflow)
			return err_set(err, ERR_TOO_LARGE,
				       "image: \"%.200s\" is larger than %zu bytes", e->path, max);
	}
	return rc;
}

static int scan_template(struct image_scan *s, struct image_entry *e, struct err *err)
{
	const char *name = e->path + strlen(TEMPLATE_FOLDER);
	_sbuf_ struct sbuf b = SBUF(0);

	if (!e->link && archive_entry_filetype(e->ae) == AE_IFDIR)
		return 0;
	if (strchr(name, '/'))
		return err_set(err, ERR_INVALID, "image: template \"%.200s\" is in a sub-folder",
			       name);
	if (read_text(e, s->limits->template, &b, err) < 0)
		return -1;
	s->files_bytes += b.len;
	if (s->files_bytes > s->limits->templates)
		return err_set(err, ERR_TOO_LARGE,
			       "image: its templates are larger than %llu bytes",
			       (unsigned long long)s->limits->templates);
	if (json_object_set_new(s->files, name, json_stringn(b.len ? b.data : "", b.len)) < 0)
		return err_set(err, ERR_INVALID, "image: template \"%.200s\" is not UTF-8 text",
			       name);
	return 0;
}

static void note_left_out(struct image_scan *s, const char *path)
{
	const char *inside = !s->split_rootfs && str_starts(path, "rootfs/")
				     ? path + strlen("rootfs/")
				     : path;

	if (str_starts(inside, "dev/"))
		return;
	if (!s->first_left_out)
		s->first_left_out = xstrdup(path);
}

int image_scan_entry(void *arg, struct image_entry *e, struct err *err)
{
	struct image_scan *s = arg;

	if (e->left_out)
		note_left_out(s, e->path);
	if (s->split_rootfs) {
		s->has_rootfs = true;
		return 0;
	}
	if (str_eq(e->path, "rootfs")) {
		if (e->link || archive_entry_filetype(e->ae) != AE_IFDIR)
			return err_set(err, ERR_INVALID, "image: \"rootfs\" is no directory");
		s->has_rootfs = true;
	} else if (str_starts(e->path, "rootfs/")) {
		s->has_rootfs = true;
	} else if (str_eq(e->path, "metadata.yaml")) {
		if (s->metadata.data)
			return err_set(err, ERR_INVALID, "image: holds metadata.yaml twice");
		return read_text(e, s->limits->metadata, &s->metadata, err);
	} else if (str_starts(e->path, TEMPLATE_FOLDER)) {
		return scan_template(s, e, err);
	}
	return 0;
}

static int put_time(json_t *to, const char *key, const json_t *seconds, struct err *err)
{
	time_t t = (time_t)json_integer_value(seconds);
	char text[32];
	struct tm tm;

	if (seconds && !json_is_integer(seconds))
		return err_set(err, ERR_INVALID,
			       "image: metadata.yaml: dates are seconds since 1970");
	if (!gmtime_r(&t, &tm) || tm.tm_year > 8099 || t < 0)
		return err_set(err, ERR_INVALID, "image: metadata.yaml: a date is out of range");
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_put_str(to, key, text);
	return 0;
}

/* YAML reads `release: 12` as a number; properties are texts. */
static int put_scalar(json_t *to, const char *what, const char *key, const json_t *v,
		      struct err *err)
{
	_free_ char *digits = NULL;

	switch (json_typeof(v)) {
	case JSON_STRING:
		json_object_set(to, key, (json_t *)v);
		return 0;
	case JSON_INTEGER:
		digits = xasprintf("%lld", (long long)json_integer_value(v));
		json_put_str(to, key, digits);
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		json_put_str(to, key, json_is_true(v) ? "true" : "false");
		return 0;
	case JSON_NULL:
		json_put_str(to, key, "");
		return 0;
	default:
		return err_set(err, ERR_INVALID, "image: metadata.yaml: %s.%.100s is no text", what,
			       key);
	}
}

static json_t *text_map(const json_t *from, const char *what, struct err *err)
{
	json_t *to = json_object(), *v;
	const char *key;

	if (from && !json_is_object(from) && !json_is_null(from)) {
		json_decref(to);
		err_set(err, ERR_INVALID, "image: metadata.yaml: \"%s\" is no map", what);
		return NULL;
	}
	json_object_foreach((json_t *)from, key, v) {
		if (put_scalar(to, what, key, v, err) < 0) {
			json_decref(to);
			return NULL;
		}
	}
	return to;
}

static json_t *one_template(const json_t *files, const char *path, json_t *given, struct err *err)
{
	const char *file = json_str(given, "template", "");
	_json_ json_t *t = json_object();
	json_t *properties, *when = json_obj(given, "when") ? NULL : json_object_get(given, "when"),
			    *w;
	size_t i;

	if (path[0] != '/' || strstr(path, "/../") || str_ends(path, "/.."))
		return err_set(err, ERR_INVALID,
			       "image: metadata.yaml: the path \"%.200s\" is not absolute", path),
		       NULL;
	if (!*file || strchr(file, '/') || !json_str(files, file, NULL))
		return err_set(err, ERR_INVALID,
			       "image: metadata.yaml: template \"%.100s\" of \"%.200s\" is not in "
			       "the image",
			       file, path),
		       NULL;
	json_array_foreach(when, i, w) {
		if (!json_is_string(w))
			return err_set(err, ERR_INVALID,
				       "image: metadata.yaml: \"when\" of \"%.200s\" is no list",
				       path),
			       NULL;
	}
	properties = text_map(json_object_get(given, "properties"), "properties", err);
	if (!properties)
		return NULL;
	json_object_set_new(t, "properties", properties);
	json_object_set_new(t, "when", json_is_array(when) ? json_incref(when) : json_array());
	json_put_bool(t, "create_only", json_bool(given, "create_only", false));
	json_put_str(t, "template", file);
	json_object_set(t, "content", json_object_get(files, file));
	return json_incref(t);
}

static json_t *templates_of(const json_t *files, const json_t *given, struct err *err)
{
	_json_ json_t *to = json_object();
	const char *path;
	json_t *v;

	if (given && !json_is_object(given) && !json_is_null(given)) {
		err_set(err, ERR_INVALID, "image: metadata.yaml: \"templates\" is no map");
		return NULL;
	}
	json_object_foreach((json_t *)given, path, v) {
		json_t *t = one_template(files, path, v, err);

		if (!t)
			return NULL;
		json_object_set_new(to, path, t);
	}
	return json_incref(to);
}

static int fill_meta(json_t *meta, const json_t *files, json_t *yaml, struct err *err)
{
	const char *arch = json_str(yaml, "architecture", NULL);
	const char *canonical = arch_canonical(arch);
	json_t *properties, *templates;

	if (!arch)
		return err_set(err, ERR_INVALID,
			       "image: metadata.yaml: \"architecture\" is missing");
	if (!canonical)
		return err_set(err, ERR_INVALID,
			       "image: metadata.yaml: unknown architecture \"%.100s\"", arch);
	if (json_int(yaml, "creation_date", 0) <= 0)
		return err_set(err, ERR_INVALID,
			       "image: metadata.yaml: \"creation_date\" is missing or no number");
	if (put_time(meta, "created_at", json_object_get(yaml, "creation_date"), err) < 0 ||
	    put_time(meta, "expires_at", json_object_get(yaml, "expiry_date"), err) < 0)
		return -1;
	properties = text_map(json_object_get(yaml, "properties"), "properties", err);
	if (!properties)
		return -1;
	json_object_set_new(meta, "properties", properties);
	templates = templates_of(files, json_object_get(yaml, "templates"), err);
	if (!templates)
		return -1;
	json_object_set_new(meta, "templates", templates);
	json_put_str(meta, "architecture", canonical);
	json_put_str(meta, "type", "container");
	json_object_set(meta, "metadata", yaml);
	return 0;
}

json_t *image_meta_make(json_t *yaml, const json_t *files, struct err *err)
{
	_json_ json_t *meta = json_object();

	if (!yaml || json_is_null(yaml)) {
		err_set(err, ERR_INVALID, "image: metadata.yaml is missing or empty");
		return NULL;
	}
	if (!json_is_object(yaml)) {
		err_set(err, ERR_INVALID, "image: metadata.yaml is no map");
		return NULL;
	}
	if (fill_meta(meta, files, yaml, err) < 0)
		return NULL;
	return json_incref(meta);
}
