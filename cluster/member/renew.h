/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/renew.h - certificates do not run out unseen.
 *
 * Members pin each other's certificates, whatever their dates. Clients look at the dates of what
 * they are shown: a single host makes itself a new pair RENEW_DAYS before the end of its own, the
 * leader orders another for the cluster (rotate.h). Expired ones stop nothing.
 */
#pragma once
#include "base/net/certinfo.h"
#include "cluster/self/state.h"

#define RENEW_DAYS 30

/* What the dates of a certificate say now, in seconds since 1970. */
enum renew {
	RENEW_FINE,
	RENEW_EARLY, /* it is not valid yet: another one would not be, either */
	RENEW_SOON,  /* within RENEW_DAYS of its end: another one is due */
	RENEW_OVER,  /* it has ended: another one is due */
};
enum renew renew_of(const struct x509_info *info, int64_t now);

/* Looks at the dates, and says once an hour what is wrong with them. For the keeper's thread. */
void renew_run(struct cluster *c, int64_t *next_ms);
