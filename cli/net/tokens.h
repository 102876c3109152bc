/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/tokens.h - tokens that were given out and not used: operations of the class "token". */
#pragma once
#include "cli/net/client.h"

struct token_kind {
	/* Whom the token is for; NULL when the operation's metadata is of another kind. */
	const char *(*name_of)(const json_t *meta);
	const char *noun;
};

const char *token_join_name(const json_t *meta);
const char *token_client_name(const json_t *meta);

/* [{"Name", "ExpiresAt"}]. */
json_t *tokens_unused(struct client *cl, const struct token_kind *kind, struct err *err);
int tokens_revoke(struct client *cl, const struct token_kind *kind, const char *name,
		  struct err *err);
