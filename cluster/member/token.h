/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/token.h - join tokens. */
#pragma once
#include "cluster/self/state.h"

#define JOIN_ADDRESSES_MAX 16

struct join_token {
	char name[NAME_SIZE], fingerprint[SHA256_HEX_SIZE], secret[256];
	char addresses[JOIN_ADDRESSES_MAX][ADDRESS_SIZE];
	size_t n;
};

/* From the base64 text that `cluster add` prints. */
int token_decode(const char *text, struct join_token *ret, struct err *err);
