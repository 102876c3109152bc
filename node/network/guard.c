/* SPDX-License-Identifier: Apache-2.0 */
/* Who reloads a firewall begins with "flush ruleset", and takes our tables along: the kernel tells
 * what a transaction of anybody's removed (nfnetlink, group of nf_tables). */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/watch.h"
#include "node/netlink/netlink.h"
#include "node/network/network_int.h"
#include "node/node_int.h"

#define RECEIVE_BYTES (64 << 10)
#define QUEUE_BYTES (4 << 20)
#define PREFIX "dunlin-"
/* It is the first attribute of tables, chains and rules: the name of the table. */
#define TABLE_ATTR NFTA_TABLE_NAME

_Static_assert((int)NFTA_CHAIN_TABLE == (int)TABLE_ATTR && (int)NFTA_RULE_TABLE == (int)TABLE_ATTR,
	       "the table's name");

struct lookout {
	struct node *n;
	int fd;	      /* the watch's */
	json_t *gone; /* "FAMILY/NETWORK" -> NETWORK, of the transaction that is being told; true
		       * for a table that was not there before */
};

static void drop_lookout(void *arg)
{
	struct lookout *l = arg;

	json_decref(l->gone);
	free(l);
}

static void tell(struct lookout *l)
{
	const char *key;
	json_t *network;

	json_object_foreach(l->gone, key, network) {
		if (json_is_string(network))
			l->n->network_lost(l->n->arg, json_string_value(network));
	}
	json_object_clear(l->gone);
}

/* A table that is made again in the same transaction was replaced, and one that is made first is no
 * loss. */
static void note_table(struct lookout *l, const char *key, const char *network, bool made)
{
	json_t *before = json_object_get(l->gone, key);

	if (!made && !before)
		json_put_str(l->gone, key, network);
	else if (made && before)
		json_object_del(l->gone, key);
	else if (made)
		json_put_bool(l->gone, key, true);
}

static void take_message(struct lookout *l, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	const struct rtattr *tb[TABLE_ATTR + 1];
	int type = NFNL_MSG_TYPE(h->nlmsg_type);
	_free_ char *key = NULL;
	const char *name;

	if (type == NFT_MSG_NEWGEN)
		tell(l);
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*g)) ||
	    (type != NFT_MSG_NEWTABLE && type != NFT_MSG_DELTABLE && type != NFT_MSG_DELCHAIN &&
	     type != NFT_MSG_DELRULE))
		return;
	nl_parse((const char *)g + NLMSG_ALIGN(sizeof(*g)), NLMSG_PAYLOAD(h, sizeof(*g)), tb,
		 TABLE_ATTR);
	name = tb[TABLE_ATTR] ? RTA_DATA(tb[TABLE_ATTR]) : "";
	if (!str_starts(name, PREFIX))
		return;
	name += strlen(PREFIX);
	key = xasprintf("%d/%s", g->nfgen_family, name);
	note_table(l, key, name, type == NFT_MSG_NEWTABLE);
}

/* False when there is no more for now. */
static bool take_some(struct lookout *l, char *buf)
{
	ssize_t n = recv(l->fd, buf, RECEIVE_BYTES, MSG_DONTWAIT);
	size_t left = n < 0 ? 0 : (size_t)n;

	if (n < 0 && errno == ENOBUFS) {
		/* Some were not told: any table may be gone. */
		json_object_clear(l->gone);
		l->n->network_lost(l->n->arg, NULL);
		return true;
	}
	for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, left);
	     h = NLMSG_NEXT(h, left))
		take_message(l, h);
	return n > 0;
}

static void on_messages(void *arg);

static void look_out(struct node *n, int own_fd, json_t *own_gone)
{
	struct lookout *l = xnew(struct lookout);

	assert(own_fd >= 0);
	*l = (struct lookout){ n, own_fd, own_gone };
	watch_fd_drop(n->watch, own_fd, on_messages, l, drop_lookout);
}

/* The watch frees arg and closes its descriptor. */
static void on_messages(void *arg)
{
	_free_ char *buf = xcalloc(1, RECEIVE_BYTES);
	struct lookout *l = arg;
	int fd;

	assert(l->gone);
	while (take_some(l, buf))
		;
	fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		look_out(l->n, fd, take_ptr(l->gone));
	else
		log_warn("firewall tables that go are not noticed any more", "error",
			 strerror(errno));
	json_decref(l->gone);
}

int firewall_watch(struct node *n, struct err *err)
{
	_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTABLES, bytes = QUEUE_BYTES;

	assert(n->network_lost);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return err_sys(err, "watch the firewall's tables");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	look_out(n, take_fd(&fd), json_object());
	return 0;
}
