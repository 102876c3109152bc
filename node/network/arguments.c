/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a network's dnsmasq: dnsmasq(8). */
#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/network/dnsmasq_int.h"
#include "node/network/keys.h"

#define DNSMASQ "/usr/sbin/dnsmasq"
#define HOSTS_PREFIX_MAX 30 /* with a longer one no address is left */

void dnsmasq_args_done(struct dnsmasq_args *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
}

static void add(struct dnsmasq_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct dnsmasq_args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == DNSMASQ_ARGS_MAX) {
		a->overflow = true;
		return;
	}
	va_start(ap, fmt);
	a->v[a->n++] = xvasprintf(fmt, ap);
	va_end(ap);
}

static uint32_t mask_bits(const struct ip *net)
{
	return net->prefix ? ~0U << (32 - net->prefix) : 0;
}

static const char *v4_text(uint32_t address, char buf[INET6_ADDRSTRLEN])
{
	struct in_addr in = { htonl(address) };

	return inet_ntop(AF_INET, &in, buf, INET6_ADDRSTRLEN);
}

static const char *mask_of(const struct ip *net, char buf[INET6_ADDRSTRLEN])
{
	return v4_text(mask_bits(net), buf);
}

static const char *subnet_of(const struct ip *net, char buf[INET6_ADDRSTRLEN])
{
	uint32_t address;

	memcpy(&address, net->bytes, sizeof(address));
	return v4_text(ntohl(address) & mask_bits(net), buf);
}

/* Only whose address the cluster has settled gets one: each member has a dnsmasq of its own, and
 * none knows what the others, or the cluster, would give to somebody else. */
static void add_dhcp4(struct dnsmasq_args *a, const struct net *net)
{
	char subnet[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN];

	if (!net->v4.gateway.family || !net->v4.dhcp || net->v4.gateway.prefix > HOSTS_PREFIX_MAX)
		return;
	add(a, "--dhcp-range=%s,static,%s,%s", subnet_of(&net->v4.gateway, subnet),
	    mask_of(&net->v4.gateway, mask),
	    keys_text(&network_keys, net->config, "ipv4.dhcp.expiry"));
	add(a, "--dhcp-no-override");
	add(a, "--dhcp-authoritative");
	add(a, "--dhcp-rapid-commit");
	add(a, "--no-ping"); /* its answer would be delayed by seconds; leases are known */
	if (net->mtu != MTU_DEFAULT)
		add(a, "--dhcp-option-force=26,%u", net->mtu);
}

static void add_dns(struct dnsmasq_args *a, const struct net *net, const char *dir)
{
	const char *domain = keys_text(&network_keys, net->config, "dns.domain");

	if (str_eq(keys_text(&network_keys, net->config, "dns.mode"), "none")) {
		add(a, "--port=0");
		return;
	}
	add(a, "--no-hosts");
	add(a, "--hostsdir=%s/" NAMES_DIR, dir);
	add(a, "--strict-order");
	if (*domain) {
		add(a, "--local=/%s/", domain);
		add(a, "--domain=%s", domain);
	}
}

/* Root's rights are given up where its files stay readable without them: the folders above allow
 * passing. */
static const char *run_as(const char *dir)
{
	_free_ char *p = xstrdup(dir);

	for (char *s = p + strlen(p); s > p; s--) {
		struct stat st;

		if (*s != '/' && *s != '\0')
			continue;
		*s = '\0';
		if (stat(p, &st) < 0 || !(st.st_mode & S_IXOTH))
			return "root";
	}
	return "nobody";
}

int dnsmasq_args(struct dnsmasq_args *a, const struct net *net, const char *dir, struct err *err)
{
	*a = (struct dnsmasq_args){ .n = 0 };
	add(a, "%s", DNSMASQ);
	add(a, "--conf-file="); /* not the host's */
	add(a, "--pid-file=%s/dnsmasq.pid", dir);
	add(a, "--user=%s", run_as(dir));
	add(a, "--interface=%s", net->name);
	add(a, "--except-interface=lo");
	add(a, "--bind-interfaces");
	add(a, "--dhcp-leasefile=%s/dnsmasq.leases", dir);
	add(a, "--dhcp-hostsfile=%s/dnsmasq.hosts", dir);
	add(a, "--quiet-dhcp");
	add(a, "--quiet-dhcp6");
	add(a, "--quiet-ra");
	add_dns(a, net, dir);
	add_dhcp4(a, net);
	if (a->overflow)
		return err_set(err, ERR_INVALID, "network \"%s\": too many options for dnsmasq",
			       net->name);
	return 0;
}
