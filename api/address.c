/* SPDX-License-Identifier: Apache-2.0 */
#include "api/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/keys.h"
#include "api/spec.h"
#include "api/state.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#define USED_MAX (1 << 20)
#define SUBNET_TRIES 1000

/* --- subnets --------------------------------------------------------------------------------- */

static bool parse_ip(const char *text, uint32_t *ret)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	*ret = ntohl(a.s_addr);
	return true;
}

const char *net4_text(uint32_t ip, char buf[16])
{
	struct in_addr a = { .s_addr = htonl(ip) };

	return inet_ntop(AF_INET, &a, buf, 16);
}

static bool parse_cidr(const char *text, uint32_t *ret_ip, int *ret_bits)
{
	_free_ char *copy = xstrdup(text);
	char *parts[2];
	uint64_t bits;

	if (str_split(copy, '/', parts, 2) != 2 || !parse_ip(parts[0], ret_ip) ||
	    !str_to_u64(parts[1], 32, &bits))
		return false;
	*ret_bits = (int)bits;
	return true;
}

static uint32_t mask_of(int bits)
{
	return bits == 0 ? 0 : ~0u << (32 - bits);
}

/* Only the first range hands out addresses here. */
static void apply_ranges(const char *ranges, struct net4 *n)
{
	_free_ char *copy = xstrdup(ranges);
	char *dash = strchr(copy, '-'), *comma = strchr(copy, ',');
	uint32_t a, b;

	if (comma)
		*comma = '\0';
	if (!dash)
		return;
	*dash = '\0';
	if (parse_ip(copy, &a) && parse_ip(dash + 1, &b) && a >= n->first && b <= n->last) {
		n->first = a;
		n->last = b;
	}
}

bool net4_parse(const json_t *network, struct net4 *ret)
{
	const json_t *config = json_obj(network, "config");
	const char *cidr = json_str(config, "ipv4.address", "none");
	const char *ranges = json_str(config, "ipv4.dhcp.ranges", NULL);
	struct net4 n;

	if (!parse_cidr(cidr, &n.gateway, &n.bits) || n.bits > 30)
		return false;
	n.first = (n.gateway & mask_of(n.bits)) + 1;
	n.last = (n.gateway | ~mask_of(n.bits)) - 1;
	n.dhcp = key_bool(KEYS_NETWORK, config, "ipv4.dhcp");
	if (ranges)
		apply_ranges(ranges, &n);
	*ret = n;
	return true;
}

static bool overlaps(uint32_t a, int a_bits, uint32_t b, int b_bits)
{
	uint32_t m = mask_of(a_bits < b_bits ? a_bits : b_bits);

	return (a & m) == (b & m);
}

bool net4_overlap(const struct net4 *a, const struct net4 *b)
{
	return overlaps(a->gateway, a->bits, b->gateway, b->bits);
}

static bool host_uses(const struct ifaddrs *all, uint32_t ip, int bits)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr;
		const struct sockaddr_in *m = (const void *)i->ifa_netmask;

		if (a && m && a->sin_family == AF_INET &&
		    overlaps(ip, bits, ntohl(a->sin_addr.s_addr),
			     __builtin_popcount(m->sin_addr.s_addr)))
			return true;
	}
	return false;
}

static bool network_uses(const struct rows *networks, uint32_t ip, int bits)
{
	for (size_t i = 0; i < networks->n; i++) {
		struct net4 n;

		if (net4_parse(networks->v[i].doc, &n) && overlaps(ip, bits, n.gateway, n.bits))
			return true;
	}
	return false;
}

char *net4_pick_subnet(struct store *s, struct err *err)
{
	_rows_ struct rows networks = { 0 };
	struct ifaddrs *host = NULL;
	char *cidr = NULL, text[16];

	if (store_list(s, ENT_NETWORK, NULL, &networks, err) < 0)
		return NULL;
	if (getifaddrs(&host) < 0)
		host = NULL;
	for (int i = 0; i < SUBNET_TRIES && !cidr; i++) {
		uint32_t r = (uint32_t)rng_u64();
		uint32_t ip = 10u << 24 | (r >> 16 & 0xff) << 16 | (r & 0xff) << 8 | 1;

		if (!host_uses(host, ip, 24) && !network_uses(&networks, ip, 24))
			cidr = xasprintf("%s/24", net4_text(ip, text));
	}
	freeifaddrs(host);
	if (!cidr)
		err_set(err, ERR_LIMIT,
			"no free 10.x.y.0/24 subnet found; name one as ipv4.address");
	return cidr;
}

/* --- the book of picks that wait for their commit -------------------------------------------- */

struct address_book {
	pthread_mutex_t lock;
	json_t *keys;
};

struct address_book *address_book_new(void)
{
	struct address_book *b = xnew(struct address_book);

	pthread_mutex_init(&b->lock, NULL);
	b->keys = json_object();
	return b;
}

void address_book_free(struct address_book *b)
{
	if (!b)
		return;
	json_decref(b->keys);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void address_picks_done(struct address_picks *p)
{
	const char *key;
	json_t *v;

	if (!p->book)
		return;
	pthread_mutex_lock(&p->book->lock);
	json_object_foreach(p->keys, key, v)
		json_object_del(p->book->keys, key);
	pthread_mutex_unlock(&p->book->lock);
	json_decref(p->keys);
	*p = (struct address_picks){ 0 };
}

static bool reserve(struct address_picks *p, const char *key)
{
	bool ok;

	pthread_mutex_lock(&p->book->lock);
	ok = !json_object_get(p->book->keys, key);
	if (ok)
		json_object_set_new(p->book->keys, key, json_true());
	pthread_mutex_unlock(&p->book->lock);
	if (ok)
		json_object_set_new(p->keys, key, json_true());
	return ok;
}

/* --- picking --------------------------------------------------------------------------------- */

struct used {
	const char *prefix;
	size_t prefix_len;
	uint32_t *v;
	size_t n, room;
};

static void collect_used(void *arg, const char *key, int64_t rev, const char *text)
{
	struct used *u = arg;
	uint32_t ip;

	if (strncmp(key, u->prefix, u->prefix_len) != 0 || !parse_ip(key + u->prefix_len, &ip) ||
	    u->n >= USED_MAX)
		return;
	if (u->n == u->room) {
		u->room = u->room ? u->room * 2 : 64;
		u->v = xrealloc(u->v, u->room * sizeof(*u->v));
	}
	u->v[u->n++] = ip;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_used(const struct used *u, uint32_t ip)
{
	return u->n && bsearch(&ip, u->v, u->n, sizeof(ip), by_number);
}

/* The lowest free address; after lost races one from a random place on, so that members which
 * create many instances at once get out of each other's way. */
static int pick(const struct api_env *env, const char *network, const struct net4 *n, int attempt,
		struct address_picks *picks, uint32_t *ret, struct err *err)
{
	_free_ char *prefix = xasprintf("%s/", network);
	struct used u = { .prefix = prefix, .prefix_len = strlen(prefix) };
	uint64_t count = (uint64_t)n->last - n->first + 1;
	uint64_t start = attempt ? rng_u64() % count : 0;
	int rc = -1;

	store_each_text(env->store, ENT_ADDRESS, collect_used, &u);
	if (u.n)
		qsort(u.v, u.n, sizeof(*u.v), by_number);
	for (uint64_t i = 0; i < count && rc < 0; i++) {
		uint32_t ip = n->first + (uint32_t)((start + i) % count);
		char text[16];
		_free_ char *key = NULL;

		if (ip == n->gateway || is_used(&u, ip))
			continue;
		key = xasprintf("%s%s", prefix, net4_text(ip, text));
		if (reserve(picks, key)) {
			*ret = ip;
			rc = 0;
		}
	}
	free(u.v);
	if (rc < 0)
		err_set(err, ERR_LIMIT, "network \"%s\": all %llu addresses are taken", network,
			(unsigned long long)count);
	return rc;
}

static int wanted_ip(const char *network, const struct net4 *n, const char *text, uint32_t *ret,
		     struct err *err)
{
	if (!parse_ip(text, ret) || (*ret & mask_of(n->bits)) != (n->gateway & mask_of(n->bits)))
		return err_set(err, ERR_INVALID,
			       "address %s is not in the subnet of network \"%s\"", text, network);
	if (*ret == n->gateway)
		return err_set(err, ERR_INVALID, "address %s is the gateway of network \"%s\"",
			       text, network);
	return 0;
}

static int check_free(const struct api_env *env, const char *network, uint32_t ip,
		      const char *instance, struct err *err)
{
	char text[16];
	_free_ char *key = xasprintf("%s/%s", network, net4_text(ip, text));
	_row_ struct row row = { 0 };
	const char *owner;

	if (store_get(env->store, ENT_ADDRESS, key, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	owner = json_str(row.doc, "instance", "");
	return str_eq(owner, instance)
		       ? 0
		       : err_set(err, ERR_CONFLICT,
				 "address %s of network \"%s\" belongs to instance \"%s\"", text,
				 network, owner);
}

/* --- planning -------------------------------------------------------------------------------- */

struct plan {
	const struct api_env *env;
	json_t *instance;
	const char *name;
	bool dynamic;
	int attempt, changes;
	struct tx *tx;
	struct address_picks *picks;
	struct rows leases;
	bool *keep;
};

static const char *ensure_mac(struct plan *p, const char *device, const json_t *dev)
{
	_free_ char *key = xasprintf("volatile.%s.hwaddr", device);
	json_t *config = json_obj(p->instance, "config");
	unsigned char r[3];
	char mac[18];

	if (json_str(dev, "hwaddr", NULL))
		return json_str(dev, "hwaddr", NULL);
	if (!json_str(config, key, NULL)) {
		rng_bytes(r, sizeof(r));
		snprintf(mac, sizeof(mac), "00:16:3e:%02x:%02x:%02x", r[0], r[1], r[2]);
		json_put_str(config, key, mac);
	}
	return json_str(config, key, "");
}

static bool lease_fits(const json_t *lease, const char *device, const char *network,
		       const char *mac, const char *wanted)
{
	return str_eq(json_str(lease, "device", ""), device) &&
	       str_eq(json_str(lease, "network", ""), network) &&
	       str_eq(json_str(lease, "hwaddr", ""), mac) &&
	       (!wanted || str_eq(json_str(lease, "ip", ""), wanted));
}

static void put_lease(struct plan *p, const char *network, const char *device, const char *mac,
		      uint32_t ip)
{
	char text[16];
	_free_ char *key = xasprintf("%s/%s", network, net4_text(ip, text));
	_json_ json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s}", "network", network, "ip", text,
				       "instance", p->name, "device", device, "hwaddr", mac);

	tx_put(p->tx, ENT_ADDRESS, key, REV_NONE, doc);
	p->changes++;
}

/* A lease with the same address but another MAC is rewritten in place. */
static bool rewrite_lease(struct plan *p, const char *network, const char *device, const char *mac,
			  const char *wanted)
{
	for (size_t i = 0; i < p->leases.n; i++) {
		struct row *r = &p->leases.v[i];

		if (p->keep[i] || !str_eq(json_str(r->doc, "device", ""), device) ||
		    !str_eq(json_str(r->doc, "network", ""), network) ||
		    (wanted && !str_eq(json_str(r->doc, "ip", ""), wanted)))
			continue;
		json_put_str(r->doc, "hwaddr", mac);
		tx_put(p->tx, ENT_ADDRESS, r->key, r->rev, r->doc);
		p->keep[i] = true;
		p->changes++;
		return true;
	}
	return false;
}

static int plan_nic(struct plan *p, const char *device, const json_t *dev, struct err *err)
{
	const char *network = spec_nic_network(dev), *wanted = json_str(dev, "ipv4.address", NULL);
	const char *mac = ensure_mac(p, device, dev);
	_row_ struct row net = { 0 };
	struct net4 n;
	uint32_t ip = 0;

	for (size_t i = 0; i < p->leases.n; i++) {
		if (lease_fits(p->leases.v[i].doc, device, network, mac, wanted)) {
			p->keep[i] = true;
			return 0;
		}
	}
	if (store_get(p->env->store, ENT_NETWORK, network, &net, err) < 0)
		return err->kind == ERR_NOT_FOUND && !json_str(dev, "network", NULL) ? 0 : -1;
	if (!net4_parse(net.doc, &n) || rewrite_lease(p, network, device, mac, wanted) ||
	    (!wanted && !p->dynamic))
		return 0;
	if (wanted ? wanted_ip(network, &n, wanted, &ip, err) < 0 ||
			     check_free(p->env, network, ip, p->name, err) < 0
		   : pick(p->env, network, &n, p->attempt, p->picks, &ip, err) < 0)
		return -1;
	put_lease(p, network, device, mac, ip);
	return 0;
}

static int plan_all(struct plan *p, json_t *devices, struct err *err)
{
	const char *device;
	json_t *dev;

	json_object_foreach(devices, device, dev) {
		if (spec_nic_network(dev) && plan_nic(p, device, dev, err) < 0)
			return err_wrap(err, "device \"%s\"", device);
	}
	for (size_t i = 0; i < p->leases.n; i++) {
		if (p->keep[i])
			continue;
		tx_delete(p->tx, ENT_ADDRESS, p->leases.v[i].key, p->leases.v[i].rev);
		p->changes++;
	}
	return p->changes;
}

int address_plan(const struct api_env *env, json_t *instance, bool dynamic, int attempt,
		 struct tx *tx, struct address_picks *picks, struct err *err)
{
	_json_ json_t *config = NULL, *devices = NULL;
	struct plan p = { .env = env,
			  .instance = instance,
			  .dynamic = dynamic,
			  .attempt = attempt,
			  .tx = tx,
			  .picks = picks };
	int rc;

	address_picks_done(picks);
	picks->book = env->state->addresses;
	picks->keys = json_object();
	p.name = json_str(instance, "name", "");
	if (store_list(env->store, ENT_ADDRESS, p.name, &p.leases, err) < 0)
		return -1;
	p.keep = xcalloc(p.leases.n + 1, sizeof(*p.keep));
	spec_expand(env->store, NULL, instance, &config, &devices);
	rc = plan_all(&p, devices, err);
	free(p.keep);
	rows_free(&p.leases);
	return rc;
}

/* --- whole instances ------------------------------------------------------------------------- */

bool address_of(const struct api_env *env, const char *instance, const char *device,
		const char *network, char ret_ip[16])
{
	_rows_ struct rows leases = { 0 };
	struct err err;

	if (store_list(env->store, ENT_ADDRESS, instance, &leases, &err) < 0)
		return false;
	for (size_t i = 0; i < leases.n; i++) {
		const json_t *doc = leases.v[i].doc;

		if (str_eq(json_str(doc, "device", ""), device) &&
		    str_eq(json_str(doc, "network", ""), network))
			return str_copy(ret_ip, 16, json_str(doc, "ip", ""));
	}
	return false;
}

int address_release(const struct api_env *env, const char *instance, struct tx *tx, struct err *err)
{
	_rows_ struct rows leases = { 0 };

	if (store_list(env->store, ENT_ADDRESS, instance, &leases, err) < 0)
		return -1;
	for (size_t i = 0; i < leases.n; i++)
		tx_delete(tx, ENT_ADDRESS, leases.v[i].key, leases.v[i].rev);
	return 0;
}

int address_rename(const struct api_env *env, const char *instance, const char *new_name,
		   struct tx *tx, struct err *err)
{
	_rows_ struct rows leases = { 0 };

	if (store_list(env->store, ENT_ADDRESS, instance, &leases, err) < 0)
		return -1;
	for (size_t i = 0; i < leases.n; i++) {
		json_put_str(leases.v[i].doc, "instance", new_name);
		tx_put(tx, ENT_ADDRESS, leases.v[i].key, leases.v[i].rev, leases.v[i].doc);
	}
	return 0;
}
