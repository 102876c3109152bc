/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/token.h - tokens, which clients see as operations of class "token" that run until they
 * are used.
 *
 * A token is a row of cluster/member/tokens.h, known on every member. Only trust tokens are made
 * here; cluster/ makes join tokens. The secret is in the answer to who had the token made, and
 * nowhere else: lists show names and times.
 */
#pragma once
#include "api/work/env.h"

/* From the body of POST /1.0/certificates; the operation object. */
json_t *trust_token_new(const struct api_env *env, const json_t *body, struct err *err);
/* Finds the token (base64 text), and has tx consume it. The name it was made for (caller frees), or
 * NULL with ERR_FORBIDDEN. */
char *trust_token_use(const struct api_env *env, const char *text, struct tx *tx, struct err *err);
/* LXD's operation object of a token row; NULL when it has expired. secret: of one that was made
 * just now, else NULL, shown as "". New reference. */
json_t *token_operation(const struct api_env *env, const struct row *token, const char *secret);
/* The life of new tokens by their configuration key. */
int64_t token_life_s(const struct api_env *env, const char *key);
