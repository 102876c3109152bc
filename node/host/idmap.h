/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/idmap.h - shifted user and group ids: user namespaces that only carry a map, and
 * idmapped mounts.
 *
 * For helpers only: making a user namespace needs a child process.
 */
#pragma once
#include <stdint.h>

#include "base/json.h"

struct idmap {
	uint32_t base,
		size; /* ids 0..size-1 inside are base..base+size-1 outside; size 0: not shifted */
};

/* {"idmap":{base,size},"privileged":bool} of a spec. */
int idmap_of_spec(const json_t *spec, struct idmap *ret, struct err *err);
/* A descriptor of a user namespace with that map. with_root also maps one more id, `size`, to
 * the caller's own: overlayfs needs it for the files it makes in its work directory. */
int idmap_userns(const struct idmap *m, bool with_root, struct err *err);
/* The same of a spec; -1 in *ret for one that is not shifted. */
int idmap_userns_of_spec(const json_t *spec, bool with_root, int *ret, struct err *err);
/* Clones the mount at src, gives it the map (userns < 0: none) and attaches it at dst. */
int idmap_mount(const char *src, const char *dst, int userns, bool readonly, struct err *err);
