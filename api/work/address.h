/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/address.h - fixed addresses of nics on managed networks.
 *
 * A lease is a row ENT_ADDRESS "network/ip" (cluster/store/lease.h) of one device of one instance;
 * taking it only while nobody has it makes an address unique in the cluster. What an instance runs
 * with is not freed before it has stopped or the device is out: a new address of such a device is
 * *pending* until then.
 */
#pragma once
#include "api/work/env.h"
#include "api/work/expand.h"
#include "node/network/keys.h"

/* Of a network document; host byte order. */
struct net4 {
	uint32_t gateway;
	struct range4 ranges[RANGES4_MAX]; /* candidates in order; the gateway may lie among them */
	size_t nranges;
	int bits;
	bool dhcp;
};
/* False when the network has no IPv4. */
bool net4_parse(const json_t *network, struct net4 *ret);
/* ERR_INVALID for ipv4.dhcp.ranges that the subnet of a network does not hold, or that hold none
 * but the gateway. */
int net4_check_ranges(const json_t *network, const char *name, struct err *err);
/* May the network of this key have this subnet, and these ranges? ERR_CONFLICT for a subnet that
 * overlaps that of another network, or holds an address of a member or of another interface of this
 * host. What is as in old (NULL: new) passes. */
int net4_check_subnet(const struct api_env *env, const char *key, const json_t *network,
		      const json_t *old, struct err *err);
const char *net4_text(uint32_t ip, char buf[16]);
/* A 10.x.y.1/24 that neither a network nor an interface of this host uses; the caller frees. */
char *net4_pick_subnet(struct store *s, struct err *err);

/* The address that a device of an instance has on a network; not one that is pending. */
bool address_of(const struct api_env *env, const char *instance, const char *device,
		const char *network, char ret_ip[16]);

/* What was picked but is not committed yet; nobody else in this daemon picks it meanwhile. */
struct address_picks {
	struct address_book *book;
	json_t *keys;
};
void address_picks_done(struct address_picks *p);
#define _picks_ __attribute__((cleanup(address_picks_done)))

struct address_book;
struct address_book *address_book_new(void);
void address_book_free(struct address_book *b);

struct address_wish {
	bool dynamic; /* only a start: an instance that never ran takes no address of the subnet */
	bool running;
	int attempt; /* how often the commit has lost a race for an address */
};
/* Brings the leases of an instance up to date with its nics: changes rows in tx, and sets missing
 * volatile.*.hwaddr in the instance's config. Returns how many rows tx changes by it, or -1:
 * ERR_INVALID for a fixed address that its network can't have, ERR_CONFLICT naming who has it. */
int address_plan(const struct api_env *env, struct expanded *x, const struct address_wish *wish,
		 struct tx *tx, struct address_picks *picks, struct err *err);
/* Once a running instance has the devices of its spec: frees in tx what it has no device for any
 * more. Returns how many, or -1. */
int address_trim(const struct api_env *env, const char *instance, const json_t *spec, struct tx *tx,
		 struct err *err);
/* Whether all instances that use a profile could have the fixed addresses, of IP and hardware, they
 * would get by this document of it. */
int address_check_profile(const struct api_env *env, const char *profile, const json_t *doc,
			  struct err *err);
/* Deletes in tx what is remembered of free addresses of a network. */
void address_forget_network(struct store *s, const char *network, struct tx *tx);
/* Frees all leases of an instance in tx. */
int address_release(const struct api_env *env, const char *instance, struct tx *tx,
		    struct err *err);
/* Renames the owner of all leases in tx. */
int address_rename(const struct api_env *env, const char *instance, const char *new_name,
		   struct tx *tx, struct err *err);
