/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware addresses: two nics of a network with the same one take each other's frames. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/work/address_int.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cluster/store/lease.h"

#define MAC_TRIES 64

struct search {
	const char *mac, *network; /* network NULL: any */
	const char *instance; /* whose leases do not count */
	json_t *found;
};

static void look(void *arg, const char *key, int64_t rev, const char *text)
{
	struct search *s = arg;
	_json_ json_t *doc = NULL;
	struct err err;

	if (s->found || !strcasestr(text, s->mac))
		return;
	doc = json_parse(text, strlen(text), "address", &err);
	if (!doc || lease_is_free(doc) || strcasecmp(json_str(doc, "hwaddr", ""), s->mac) != 0 ||
	    (s->network && !str_eq(json_str(doc, "network", ""), s->network)) ||
	    str_eq(json_str(doc, "instance", ""), s->instance))
		return;
	s->found = json_incref(doc);
}

char *mac_key(const char *network, const char *mac)
{
	char *key = xasprintf("%s/%s", network, mac);

	for (char *c = key + strlen(network); *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return key;
}

void mac_make(struct store *s, char ret[18])
{
	for (int i = 0; i < MAC_TRIES; i++) {
		struct search other = { .mac = ret, .instance = "" };
		unsigned char r[3];

		rng_bytes(r, sizeof(r));
		snprintf(ret, 18, "00:16:3e:%02x:%02x:%02x", r[0], r[1], r[2]);
		store_each_text(s, ENT_ADDRESS, look, &other);
		if (!other.found)
			return;
		json_decref(other.found);
	}
}

int mac_check(struct store *s, const char *network, const char *mac, const char *instance,
	      struct err *err)
{
	struct search other = { mac, network, instance, NULL };
	_json_ json_t *found = NULL;

	store_each_text(s, ENT_ADDRESS, look, &other);
	found = other.found;
	return found ? err_set(err, ERR_CONFLICT,
			       "hwaddr %s is on network \"%s\" already, of device \"%s\" of "
			       "instance \"%s\": set another one, or none to get a free one",
			       mac, network, json_str(found, "device", ""),
			       json_str(found, "instance", ""))
		     : 0;
}
