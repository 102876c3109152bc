/* SPDX-License-Identifier: Apache-2.0 */
#include "node/netlink/netlink.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"

#define ANSWER_SECONDS 10
#define RECEIVE_BYTES (64 << 10)

static void *reserve(struct nlmsg *m, size_t len)
{
	size_t at = NLMSG_ALIGN(m->h.nlmsg_len);

	assert(m->h.nlmsg_len >= NLMSG_HDRLEN);
	if (m->overflow || at + NLMSG_ALIGN(len) > sizeof(m->bytes)) {
		m->overflow = true;
		return NULL;
	}
	m->h.nlmsg_len = (uint32_t)(at + len);
	return m->bytes + at;
}

void nl_raw(struct nlmsg *m, const void *data, size_t len)
{
	void *to = reserve(m, len);

	if (to)
		memcpy(to, data, len);
}

void nl_begin(struct nlmsg *m, int type, int flags, const void *payload, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->h.nlmsg_len = NLMSG_HDRLEN;
	m->h.nlmsg_type = (uint16_t)type;
	m->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nl_raw(m, payload, len);
}

void nl_put(struct nlmsg *m, int attr, const void *data, size_t len)
{
	struct rtattr *a = reserve(m, RTA_LENGTH(len));

	if (!a)
		return;
	a->rta_type = (uint16_t)attr;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
}

void nl_put_str(struct nlmsg *m, int attr, const char *s)
{
	nl_put(m, attr, s, strlen(s) + 1);
}

void nl_put_u8(struct nlmsg *m, int attr, uint8_t v)
{
	nl_put(m, attr, &v, sizeof(v));
}

void nl_put_u32(struct nlmsg *m, int attr, uint32_t v)
{
	nl_put(m, attr, &v, sizeof(v));
}

size_t nl_nest(struct nlmsg *m, int attr)
{
	size_t at = NLMSG_ALIGN(m->h.nlmsg_len);

	nl_put(m, attr | NLA_F_NESTED, NULL, 0);
	return at;
}

void nl_unnest(struct nlmsg *m, size_t at)
{
	if (!m->overflow)
		((struct rtattr *)(m->bytes + at))->rta_len = (uint16_t)(m->h.nlmsg_len - at);
}

static int open_for(int protocol, struct err *err)
{
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int one = 1;

	if (fd < 0)
		return err_sys(err, "open a netlink socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return take_fd(&fd);
}

int nl_open(struct err *err)
{
	return open_for(NETLINK_ROUTE, err);
}

/* Only messages of nfnetlink have something, their subsystem, in the upper byte. */
static int open_of(const struct nlmsg *m, struct err *err)
{
	return open_for(m->h.nlmsg_type >> 8 ? NETLINK_NETFILTER : NETLINK_ROUTE, err);
}

static int transmit(int fd, struct nlmsg *m, const char *what, struct err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (m->overflow)
		return err_set(err, ERR_INTERNAL, "%s: the request is too large", what);
	if (sendto(fd, m, m->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_sys(err, "%s", what);
	return 0;
}

/* The kernel's own words, when it had any. */
static const char *ack_text(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	const struct rtattr *tb[NLMSGERR_ATTR_MAX + 1];
	size_t skip = sizeof(*e);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - NLMSG_HDRLEN;
	if (h->nlmsg_len < NLMSG_HDRLEN + skip)
		return NULL;
	nl_parse((const char *)e + skip, h->nlmsg_len - NLMSG_HDRLEN - skip, tb, NLMSGERR_ATTR_MAX);
	return tb[NLMSGERR_ATTR_MSG] ? RTA_DATA(tb[NLMSGERR_ATTR_MSG]) : NULL;
}

static int answer_error(const struct nlmsghdr *h, const char *what, struct err *err)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	const char *text = ack_text(h);

	if (e->error == 0)
		return 0;
	errno = -e->error;
	if (!text)
		return err_sys(err, "%s", what);
	return err_sys(err, "%s: %s", what, text);
}

int nl_send(int fd, struct nlmsg *m, const char *what, struct err *err)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	ssize_t n;

	m->h.nlmsg_flags |= NLM_F_ACK;
	if (transmit(fd, m, what, err) < 0)
		return -1;
	while ((n = recv(fd, buf, sizeof(buf), 0)) < 0 && errno == EINTR)
		;
	if (n < 0)
		return err_sys(err, "%s: no answer from the kernel", what);
	if (!NLMSG_OK(h, (size_t)n) || h->nlmsg_type != NLMSG_ERROR)
		return err_set(err, ERR_INTERNAL, "%s: unexpected answer from the kernel", what);
	return answer_error(h, what, err);
}

int nl_call(struct nlmsg *m, const char *what, struct err *err)
{
	_close_ int fd = open_of(m, err);

	return fd < 0 ? -1 : nl_send(fd, m, what, err);
}

/* 1: more to come, 0: the dump is complete or fn had enough. */
static int take_answers(const void *buf, size_t n, const char *what, nl_fn fn, void *arg,
			struct err *err)
{
	for (const struct nlmsghdr *h = buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return answer_error(h, what, err);
		if (fn(arg, h) != 0)
			return 0;
	}
	return 1;
}

int nl_get(struct nlmsg *m, const char *what, nl_fn fn, void *arg, struct err *err)
{
	_free_ char *buf = xcalloc(1, RECEIVE_BYTES);
	_close_ int fd = open_of(m, err);
	ssize_t n;

	if (fd < 0 || transmit(fd, m, what, err) < 0)
		return -1;
	while ((n = recv(fd, buf, RECEIVE_BYTES, 0)) < 0 && errno == EINTR)
		;
	if (n < 0)
		return err_sys(err, "%s: no answer from the kernel", what);
	return take_answers(buf, (size_t)n, what, fn, arg, err) < 0 ? -1 : 0;
}

int nl_dump(struct nlmsg *m, const char *what, nl_fn fn, void *arg, struct err *err)
{
	_free_ char *buf = xcalloc(1, RECEIVE_BYTES);
	_close_ int fd = open_of(m, err);
	int rc = 1;

	if (fd < 0)
		return -1;
	m->h.nlmsg_flags |= NLM_F_DUMP;
	if (transmit(fd, m, what, err) < 0)
		return -1;
	while (rc > 0) {
		ssize_t n = recv(fd, buf, RECEIVE_BYTES, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "%s: no answer from the kernel", what);
		rc = take_answers(buf, (size_t)n, what, fn, arg, err);
	}
	return rc;
}

void nl_parse(const void *attrs, size_t len, const struct rtattr **tb, int max)
{
	memset(tb, 0, sizeof(*tb) * ((size_t)max + 1));
	for (const struct rtattr *a = attrs; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		int type = a->rta_type & NLA_TYPE_MASK;

		if (type <= max)
			tb[type] = a;
	}
}

void nl_parse_nest(const struct rtattr *nest, const struct rtattr **tb, int max)
{
	nl_parse(nest ? RTA_DATA(nest) : NULL, nest ? RTA_PAYLOAD(nest) : 0, tb, max);
}

uint32_t nl_get_u32(const struct rtattr *a, uint32_t dflt)
{
	if (a && RTA_PAYLOAD(a) >= sizeof(dflt))
		memcpy(&dflt, RTA_DATA(a), sizeof(dflt));
	return dflt;
}

uint16_t nl_get_u16(const struct rtattr *a, uint16_t dflt)
{
	if (a && RTA_PAYLOAD(a) >= sizeof(dflt))
		memcpy(&dflt, RTA_DATA(a), sizeof(dflt));
	return dflt;
}

uint8_t nl_get_u8(const struct rtattr *a, uint8_t dflt)
{
	if (a && RTA_PAYLOAD(a) >= sizeof(dflt))
		memcpy(&dflt, RTA_DATA(a), sizeof(dflt));
	return dflt;
}
