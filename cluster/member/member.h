/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/member.h - the rows of members, and what this one says of itself. */
#pragma once
#include "cluster/self/state.h"

/* report.c: puts this member's fact now. */
void member_report(struct cluster *c);
/* A single host has a row too, so that an instance's member always names one. Also finishes what an
 * interrupted cluster_enable() began. */
int member_ensure_single(struct cluster *c, struct err *err);
/* A new member row's doc. */
struct member_facts {
	const char *uuid, *name, *address, *fingerprint, *architecture;
};
json_t *member_doc(const struct member_facts *m);
json_t *member_certificate_doc(const char *name, const char *cert_pem, const char *fingerprint);
/* A name and an address that others can use. */
int member_check_name(const char *name, struct err *err);
int member_check_address(const char *address, struct err *err);
const char *member_architecture(void);
/* enable.c: the rows say that this host is enabled as `name`; the rest follows. */
int enable_finish(struct cluster *c, const char *name, const char *address, struct err *err);
