/* SPDX-License-Identifier: Apache-2.0 */
/* node/netlink/netlink.h - requests to rtnetlink, and by nl_call, nl_get and nl_dump to nfnetlink,
 * in the network namespace of the calling thread.
 *
 *     struct nlmsg m;
 *     nl_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &(struct ifinfomsg){ 0 }, sizeof(...));
 *     nl_put_str(&m, IFLA_IFNAME, "br0");
 *     if (nl_call(&m, "create br0", err) < 0) ...
 *
 * A message is a fixed buffer: what is put beyond it makes the call fail. Each call uses a
 * socket of its own unless one is passed in; nothing is shared between threads.
 */
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NL_MSG_MAX 2048

struct nlmsg {
	union {
		struct nlmsghdr h;
		char bytes[NL_MSG_MAX];
	};
	bool overflow;
};

void nl_begin(struct nlmsg *m, int type, int flags, const void *payload, size_t len);
void nl_put(struct nlmsg *m, int attr, const void *data, size_t len);
void nl_put_str(struct nlmsg *m, int attr, const char *s);
void nl_put_u8(struct nlmsg *m, int attr, uint8_t v);
void nl_put_u32(struct nlmsg *m, int attr, uint32_t v);
/* Attributes put until nl_unnest(m, returned value) are inside. */
size_t nl_nest(struct nlmsg *m, int attr);
void nl_unnest(struct nlmsg *m, size_t at);
/* Room for a fixed structure inside a nest. */
void nl_raw(struct nlmsg *m, const void *data, size_t len);

int nl_open(struct err *err);
/* Sends and waits for the acknowledgement. -1 with err->sys = errno of the kernel; `what` reads
 * as "create bridge x". */
int nl_send(int fd, struct nlmsg *m, const char *what, struct err *err);
int nl_call(struct nlmsg *m, const char *what, struct err *err); /* on a socket of its own */
/* A request with one answer, which is given to fn. */
typedef int (*nl_fn)(void *arg, const struct nlmsghdr *h);
int nl_get(struct nlmsg *m, const char *what, nl_fn fn, void *arg, struct err *err);
/* NLM_F_DUMP requests: fn for every answer until it returns non-zero. */
int nl_dump(struct nlmsg *m, const char *what, nl_fn fn, void *arg, struct err *err);

/* Attributes of a received message or nest into tb[0..max]; absent ones NULL. */
void nl_parse(const void *attrs, size_t len, const struct rtattr **tb, int max);
void nl_parse_nest(const struct rtattr *nest, const struct rtattr **tb, int max);
uint32_t nl_get_u32(const struct rtattr *a, uint32_t dflt);
uint16_t nl_get_u16(const struct rtattr *a, uint16_t dflt);
uint8_t nl_get_u8(const struct rtattr *a, uint8_t dflt);
