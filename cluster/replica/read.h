/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/replica/read.h - rows and facts of the replica, parsed. */
#pragma once
#include "cluster/replica/replica.h"

/* ERR_NOT_FOUND names the key and the kind. */
int replica_get(struct replica *r, enum entity e, const char *key, struct row *ret,
		struct err *err);
/* As store_list(). */
int replica_list(struct replica *r, enum entity e, const char *value, struct rows *ret,
		 struct err *err);
/* New reference, NULL when there is none. ret_member (of at least 64 bytes) may be NULL. */
json_t *replica_read_fact(struct replica *r, enum fact f, const char *key, char *ret_member);

/* The same of a text that came by another way. */
int row_parse(struct row *ret, enum entity e, const char *key, int64_t rev, const char *text,
	      struct err *err);
int row_not_found(enum entity e, const char *key, struct err *err); /* -1 */
