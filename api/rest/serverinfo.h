/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/serverinfo.h - what GET /1.0 tells, kept as text so that it can be answered on the
 * loop. */
#pragma once
#include "api/http/req.h"

struct serverinfo;

struct serverinfo *serverinfo_new(void);
void serverinfo_free(struct serverinfo *s);
/* The object for this caller, appended to out; etag of its configuration. Never blocks. */
void serverinfo_write(const struct api_env *env, const struct caller *c, struct sbuf *out,
		      char etag[SHA256_HEX_SIZE]);
/* All server keys as set, this member's own included; new reference. */
json_t *server_config(const struct api_env *env);
/* Where this member answers, as "host:port"; new reference to a list. */
json_t *server_addresses(const struct api_env *env);
/* Local settings changed: the next answer is built anew. */
void serverinfo_stale(struct serverinfo *s);
