/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/find_image.h - finding images by what users type, and their aliases. */
#pragma once
#include "api/work/env.h"

/* By the whole fingerprint or a unique beginning of it; "Image not found". */
int image_by_fingerprint(const struct api_env *env, const char *project, const char *prefix,
			 struct row *ret, struct err *err);
/* By alias, else by fingerprint. */
int image_by_name(const struct api_env *env, const char *project, const char *name,
		  struct row *ret, struct err *err);
/* May an image have these properties? They become image.* keys of its instances. */
int image_check_properties(const char *what, const json_t *properties, struct err *err);
/* ".tar.xz", as the tarball's first bytes tell. */
const char *image_suffix(int fd);
