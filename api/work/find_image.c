/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/find_image.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/model/keys.h"

#define FINGERPRINT_HEX 64

struct lookup {
	const char *project, *prefix;
	char *found;
	int count;
};

static void compare(void *arg, const char *key, int64_t rev, const char *text)
{
	struct lookup *l = arg;

	if (!ref_is_in(key, l->project) || !str_starts(ref_of(key).name, l->prefix))
		return;
	l->count++;
	free(l->found);
	l->found = xstrdup(key);
}

static int not_found(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "Image not found: \"%.64s\"", name);
}

int image_by_fingerprint(const struct api_env *env, const char *project, const char *prefix,
			 struct row *ret, struct err *err)
{
	struct lookup l = { .project = project, .prefix = prefix };
	size_t n = strlen(prefix);
	_free_ char *found = NULL;
	int rc;

	if (n == 0 || n > FINGERPRINT_HEX || !str_is_hex(prefix, n))
		return not_found(prefix, err);
	store_each_text(env->store, ENT_IMAGE, compare, &l);
	found = l.found;
	if (l.count > 1)
		return err_set(err, ERR_INVALID,
			       "More than one image matches \"%s\": give more of the fingerprint",
			       prefix);
	if (!found)
		return not_found(prefix, err);
	rc = store_get(env->store, ENT_IMAGE, found, ret, err);
	return rc < 0 && err->kind == ERR_NOT_FOUND ? not_found(prefix, err) : rc;
}

int image_by_name(const struct api_env *env, const char *project, const char *name,
		  struct row *ret, struct err *err)
{
	_free_ char *key = ref_key(ENT_ALIAS, project, name), *image = NULL;
	_row_ struct row alias = { 0 };

	if (store_get(env->store, ENT_ALIAS, key, &alias, err) == 0) {
		image = ref_key(ENT_IMAGE, project, json_str(alias.doc, "target", ""));
		return store_get(env->store, ENT_IMAGE, image, ret, err);
	}
	return err->kind == ERR_NOT_FOUND ? image_by_fingerprint(env, project, name, ret, err) : -1;
}

const char *image_suffix(int fd)
{
	static const struct {
		const char *suffix, *magic;
		size_t len;
	} formats[] = {
		{ ".tar.gz", "\x1f\x8b", 2 },
		{ ".tar.xz", "\xfd" "7zXZ\0", 6 },
		{ ".tar.zst", "\x28\xb5\x2f\xfd", 4 },
		{ ".tar.bz2", "BZh", 3 },
		{ ".tar.lzma", "\x5d\0\0", 3 },
	};
	char head[8] = "";

	if (pread(fd, head, sizeof(head), 0) < 0)
		return ".tar";
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (memcmp(head, formats[i].magic, formats[i].len) == 0)
			return formats[i].suffix;
	}
	return ".tar";
}

int image_check_properties(const char *what, const json_t *properties, struct err *err)
{
	_json_ json_t *config = json_object();
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)properties, name, v)
		json_object_set_new(config, name, json_incref(v));
	return keys_check(&image_keys, what, config, NULL, err);
}
