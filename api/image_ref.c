/* SPDX-License-Identifier: Apache-2.0 */
#include "api/image_ref.h"

#include <string.h>

#include "api/keys.h"
#include "base/mem.h"
#include "base/str.h"

#define FINGERPRINT_HEX 64

struct lookup {
	const char *prefix;
	char *found;
	int count;
};

static void compare(void *arg, const char *key, int64_t rev, const char *text)
{
	struct lookup *l = arg;

	if (!str_starts(key, l->prefix))
		return;
	l->count++;
	free(l->found);
	l->found = xstrdup(key);
}

static int not_found(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "Image not found: \"%.64s\"", name);
}

int image_by_fingerprint(const struct api_env *env, const char *prefix, struct row *ret,
			 struct err *err)
{
	struct lookup l = { .prefix = prefix };
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

int image_by_name(const struct api_env *env, const char *name, struct row *ret, struct err *err)
{
	_row_ struct row alias = { 0 };

	if (store_get(env->store, ENT_ALIAS, name, &alias, err) == 0)
		return store_get(env->store, ENT_IMAGE, json_str(alias.doc, "target", ""), ret,
				 err);
	return err->kind == ERR_NOT_FOUND ? image_by_fingerprint(env, name, ret, err) : -1;
}

const char *image_suffix(const char *filename)
{
	static const char *const known[] = { ".tar.gz",   ".tar.xz", ".tar.zst", ".tar.bz2",
					     ".tar.lzma", ".tar",    ".tgz" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (str_ends(filename, known[i]))
			return known[i];
	}
	return ".tar.gz";
}

int image_check_properties(const char *what, const json_t *properties, struct err *err)
{
	_json_ json_t *config = json_object();
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)properties, name, v)
		json_object_set_new(config, name, json_incref(v));
	return keys_check(KEYS_IMAGE, what, config, err);
}
