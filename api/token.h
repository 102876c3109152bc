/* SPDX-License-Identifier: Apache-2.0 */
/* api/token.h - tokens, which clients see as operations of class "token" that run until they are
 * used.
 *
 * A token is a row ENT_TOKEN keyed by its operation's uuid, known on every member: {kind:
 * "join|trust", name, secret, expires_at, created_at, ...}. Only trust tokens are made here;
 * cluster/ makes join tokens.
 */
#pragma once
#include "api/env.h"

/* From the body of POST /1.0/certificates; the operation object. */
json_t *trust_token_new(const struct api_env *env, const json_t *body, struct err *err);
/* Finds the token (base64 text), and has tx consume it. The name it was made for (caller frees), or
 * NULL with ERR_FORBIDDEN. */
char *trust_token_use(const struct api_env *env, const char *text, struct tx *tx, struct err *err);
/* LXD's operation object of a token row; NULL when it has expired. New reference. */
json_t *token_operation(const struct api_env *env, const struct row *token);
