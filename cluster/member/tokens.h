/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/tokens.h - what the row of a token holds, whatever it is for.
 *
 * ENT_TOKEN is keyed by an operation's uuid: {kind: "join|trust", name, secret_sha256, created_at,
 * expires_at}. The secret itself is given out once and kept nowhere: rows are on every member, in
 * its copies on disk and in the log of the database.
 */
#pragma once
#include <stdbool.h>

#include "base/json.h"
#include "base/rng.h"

#define TOKEN_SECRET_SIZE 65 /* hex, with its end */

/* A new row's doc that expires in life_s seconds, with its new id and secret. */
json_t *token_row_new(const char *kind, const char *name, int64_t life_s, char ret_id[UUID_SIZE],
		      char ret_secret[TOKEN_SECRET_SIZE]);
bool token_row_fits(const json_t *doc, const char *secret);
/* Without a time of expiry it has. */
bool token_row_expired(const json_t *doc);
