/* SPDX-License-Identifier: Apache-2.0 */
#include "node/device/catcher.h"

#include <assert.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/device/port.h"
#include "node/netlink/tap.h"

#define BUFFER_BYTES (2 * CATCHER_RECORD_MAX)
#define BUFFERS_MAX 64 /* at once: who sends on must not keep us */

struct place {
	char host_name[IFNAMSIZ], bridge[IFNAMSIZ], stand_in[IFNAMSIZ];
	uint8_t mac[MAC_LEN];
	int index; /* of the host end */
	int tap;   /* -1: nothing is caught */
};

struct catcher {
	struct place *v;
	size_t n;
	int out; /* a packet socket, kept: to close one takes the kernel 10 ms */
	int poll;
	bool own_only; /* not what goes to many */
};

/* --- making ------------------------------------------------------------------------------- */

static int open_place(struct catcher *c, struct place *at, struct err *err)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct tap_spec tap = { .name = at->stand_in, .frames = CATCHER_FRAMES };
	struct link_info host;

	if (link_get(at->host_name, &host, err) < 0)
		return -1;
	if (!port_mac(&host, at->mac))
		return err_set(err, ERR_CONFLICT, "network interface %s is not Dunlin's",
			       at->host_name);
	at->index = host.index;
	tap.mtu = host.mtu;
	at->tap = tap_open(&tap, err);
	if (at->tap < 0)
		return -1;
	return epoll_ctl(c->poll, EPOLL_CTL_ADD, at->tap, &ev) < 0 ? err_sys(err, "watch a tap")
								   : 0;
}

static void add_place(struct catcher *c, const struct device_port *p)
{
	struct place *at;
	struct err err;

	c->v = xrealloc(c->v, (c->n + 1) * sizeof(*c->v));
	at = &c->v[c->n++];
	*at = (struct place){ .tap = -1 };
	str_copy(at->host_name, sizeof(at->host_name), p->host_name);
	str_copy(at->bridge, sizeof(at->bridge), p->bridge);
	port_stand_in(p->host_name, at->stand_in);
	if (open_place(c, at, &err) < 0)
		log_err(LOG_WARN, "what comes for an interface while it moves is lost", &err);
}

struct catcher *catcher_new(const json_t *spec)
{
	struct catcher *c = xnew(struct catcher);
	struct device_port p;
	json_t *dev;
	size_t i;

	c->out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	c->poll = epoll_create1(EPOLL_CLOEXEC);
	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		if (device_has_port(dev, &p) && *p.bridge)
			add_place(c, &p);
	}
	return c;
}

void catcher_free(struct catcher *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].tap >= 0)
			close(c->v[i].tap);
	}
	if (c->poll >= 0)
		close(c->poll);
	if (c->out >= 0)
		close(c->out);
	free(c->v);
	free(c);
}

int catcher_fd(const struct catcher *c)
{
	return c->n ? c->poll : -1;
}

void catcher_listen(struct catcher *c)
{
	struct err err;

	c->own_only = true;
	for (size_t i = 0; i < c->n; i++) {
		struct place *at = &c->v[i];

		if (at->tap >= 0 && link_set_master(at->stand_in, at->bridge, &err) < 0)
			log_err(LOG_WARN, "what comes for an interface early is lost", &err);
	}
}

/* --- frames ------------------------------------------------------------------------------- */

/* Nobody hears himself. */
static bool is_wanted(const struct catcher *c, const struct place *at, const uint8_t *frame)
{
	return memcmp(frame + MAC_LEN, at->mac, MAC_LEN) != 0 &&
	       (!c->own_only || memcmp(frame, at->mac, MAC_LEN) == 0);
}

static size_t read_place(struct catcher *c, struct place *at, uint8_t *buf, size_t size)
{
	size_t len = 0;

	while (at->tap >= 0 && size - len >= CATCHER_RECORD_MAX) {
		uint8_t *record = buf + len;
		ssize_t n = read(at->tap, record + CATCHER_HEAD, UINT16_MAX);

		if (n < ETH_HLEN)
			break;
		if (!is_wanted(c, at, record + CATCHER_HEAD))
			continue;
		memcpy(record, at->mac, MAC_LEN);
		record[MAC_LEN] = (uint8_t)n;
		record[MAC_LEN + 1] = (uint8_t)(n >> 8);
		len += CATCHER_HEAD + (size_t)n;
	}
	return len;
}

size_t catcher_read(struct catcher *c, uint8_t *buf, size_t size)
{
	size_t len = 0;

	assert(size >= CATCHER_RECORD_MAX);
	for (size_t i = 0; i < c->n; i++)
		len += read_place(c, &c->v[i], buf + len, size - len);
	return len;
}

static struct place *place_of(struct catcher *c, const uint8_t mac[MAC_LEN])
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].index && memcmp(c->v[i].mac, mac, MAC_LEN) == 0)
			return &c->v[i];
	}
	return NULL;
}

static void give_one(struct catcher *c, const struct place *at, const uint8_t *frame, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = at->index,
				  .sll_halen = MAC_LEN };

	/* As on any wire, nobody can be told. */
	if (sendto(c->out, frame, len, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to)) < 0)
		log_debug("a frame for a container that has moved is lost");
}

void catcher_give(struct catcher *c, const uint8_t *records, size_t len)
{
	while (len >= CATCHER_HEAD + ETH_HLEN) {
		size_t n = (size_t)records[MAC_LEN] | (size_t)records[MAC_LEN + 1] << 8;
		struct place *at = place_of(c, records);

		if (n < ETH_HLEN || n > len - CATCHER_HEAD)
			return;
		if (at)
			give_one(c, at, records + CATCHER_HEAD, n);
		records += CATCHER_HEAD + n;
		len -= CATCHER_HEAD + n;
	}
}

void catcher_open(struct catcher *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].tap >= 0)
			port_open(c->v[i].host_name, c->v[i].bridge);
	}
}

static void give_caught(struct catcher *c)
{
	_free_ uint8_t *buf = xcalloc(1, BUFFER_BYTES);
	size_t n;

	for (int i = 0; i < BUFFERS_MAX && (n = catcher_read(c, buf, BUFFER_BYTES)) > 0; i++)
		catcher_give(c, buf, n);
}

int catcher_plug(struct catcher *c, struct err *err)
{
	struct err other;
	int rc = 0;

	give_caught(c);
	for (size_t i = 0; i < c->n; i++) {
		if (port_plug(c->v[i].host_name, c->v[i].bridge, rc < 0 ? &other : err) < 0)
			rc = -1;
	}
	/* What came in between. */
	give_caught(c);
	return rc;
}
