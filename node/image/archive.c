/* SPDX-License-Identifier: Apache-2.0 */
/* libarchive's functions by their own names, found when the first image is read. It brings ten
 * libraries along, whose loading would be the larger part of every helper's start. */
#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "node/image/image_int.h"

#define LIBRARY "libarchive.so.13"

static struct {
#define ARCHIVE(result, fn, params, args) result(*fn) params;
#include "node/image/archive.def"
#undef ARCHIVE
	pthread_once_t once;
	locale_t utf8;
	char error[256];
} lib = { .once = PTHREAD_ONCE_INIT };

static const struct {
	const char *name;
	void *slot;
} symbols[] = {
#define ARCHIVE(result, fn, params, args) { #fn, &lib.fn },
#include "node/image/archive.def"
#undef ARCHIVE
};

static void load(void)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; handle && i < ARRAY_SIZE(symbols); i++) {
		void *found = dlsym(handle, symbols[i].name);

		memcpy(symbols[i].slot, &found, sizeof(found));
		if (!found)
			handle = NULL;
	}
	lib.utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!handle)
		snprintf(lib.error, sizeof(lib.error), "%s", dlerror());
}

int image_tar_load(struct err *err)
{
	pthread_once(&lib.once, load);
	if (*lib.error)
		return err_set(err, ERR_INTERNAL, "images cannot be read: %s", lib.error);
	return 0;
}

locale_t image_tar_locale(void)
{
	return lib.utf8;
}

/* A program that is linked with libarchive too exports these, and then the library's own calls
 * come by here: before image_tar_load(), in the tests that make archives. */
#define ARCHIVE(result, fn, params, args)     \
	result fn params                      \
	{                                     \
		pthread_once(&lib.once, load); \
		return lib.fn args;           \
	}
#include "node/image/archive.def"
#undef ARCHIVE
