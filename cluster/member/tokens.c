/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/tokens.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/str.h"

#define NS_PER_S 1000000000LL

json_t *token_row_new(const char *kind, const char *name, int64_t life_s, char ret_id[UUID_SIZE],
		      char ret_secret[TOKEN_SECRET_SIZE])
{
	char created[CLOCK_TEXT_SIZE], expires[CLOCK_TEXT_SIZE], hash[SHA256_HEX_SIZE];

	rng_hex(ret_secret, TOKEN_SECRET_SIZE / 2);
	sha256_hex(ret_secret, strlen(ret_secret), hash);
	clock_text(clock_wall_ns() + life_s * NS_PER_S, expires);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", rng_uuid(ret_id), "kind", kind,
			 "name", name, "secret_sha256", hash, "created_at", clock_now_text(created),
			 "expires_at", expires);
}

bool token_row_fits(const json_t *doc, const char *secret)
{
	char hash[SHA256_HEX_SIZE];

	if (str_empty(secret))
		return false;
	return secret_equal(sha256_hex(secret, strlen(secret), hash),
			    json_str(doc, "secret_sha256", ""));
}

bool token_row_expired(const json_t *doc)
{
	return clock_wall() >= clock_parse(json_str(doc, "expires_at", ""));
}
