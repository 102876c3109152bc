/* SPDX-License-Identifier: Apache-2.0 */
/* The containers of a network, wherever they are, for its dnsmasq, in DUNLIN_DIR/networks/NAME/:
 *
 *   dnsmasq.hosts  "MAC,ADDRESS,NAME": whose each address is, so that DHCP gives it to nobody else;
 *                  read again at SIGHUP
 *   names/hosts    "ADDRESS NAME.DOMAIN NAME"; dnsmasq notices by itself that it changed, and keeps
 *                  the rest of what it knows
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/dnsmasq_int.h"
#include "node/network/keys.h"

/* Not synced: it is made anew at every start. It comes into place whole, and not from within its
 * folder, where dnsmasq would read it twice. */
static int replace_text(const char *tmp, const char *path, const char *text, struct err *err)
{
	_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || io_write_full(fd, text, strlen(text)) < 0 || fchmod(fd, 0644) < 0 ||
	    rename(tmp, path) < 0)
		return err_sys(err, "write %s", path);
	return 0;
}

int dnsmasq_write(const char *path, const char *text, mode_t mode, bool *ret_changed,
		  struct err *err)
{
	struct err ignored;
	_free_ char *old = io_read_file(path, DNSMASQ_TEXT_MAX, NULL, &ignored);

	*ret_changed = !str_eq(old, text);
	return *ret_changed ? io_write_file(path, text, strlen(text), mode, err) : 0;
}

/* --- hosts and leases ----------------------------------------------------------------------- */

static int host_line(struct sbuf *b, const json_t *host, struct err *err)
{
	const char *name = json_str(host, "hostname", "");
	const char *address = json_str(host, "ipv4", "");
	char mac[MAC_TEXT_SIZE];
	uint8_t bytes[MAC_LEN];
	struct ip ip;

	if (!mac_parse(json_str(host, "hwaddr", ""), bytes) ||
	    (*address && (!ip_parse(address, &ip) || ip.family != AF_INET)) ||
	    (*name && !str_is_hostname(name)))
		return err_set(err, ERR_INVALID,
			       "fixed lease of \"%.80s\": an invalid address or name", name);
	sbuf_puts(b, mac_text(bytes, mac));
	if (*address) {
		char text[INET6_ADDRSTRLEN];

		sbuf_printf(b, ",%s", ip_text(&ip, text));
	}
	sbuf_printf(b, "%s%s\n", *name ? "," : "", name);
	return 0;
}

static void name_line(struct sbuf *b, const json_t *host, const char *domain)
{
	const char *name = json_str(host, "hostname", "");
	const char *address = json_str(host, "ipv4", "");

	if (!*name || !*address)
		return;
	sbuf_puts(b, address);
	if (*domain)
		sbuf_printf(b, " %s.%s", name, domain);
	sbuf_printf(b, " %s\n", name);
}

struct host_files {
	struct sbuf hosts, names;
};

static int fill(struct host_files *f, const struct net *net, const json_t *hosts, struct err *err)
{
	bool named = str_eq(keys_text(&network_keys, net->config, "dns.mode"), "managed");
	json_t *host;
	size_t i;

	json_array_foreach((json_t *)hosts, i, host) {
		if (host_line(&f->hosts, host, err) < 0)
			return -1;
		if (named)
			name_line(&f->names, host,
				  keys_text(&network_keys, net->config, "dns.domain"));
	}
	if (f->hosts.overflow || f->names.overflow)
		return err_set(err, ERR_LIMIT, "network \"%s\": too many fixed leases", net->name);
	return 0;
}

static const char *text_of(const struct sbuf *b)
{
	return b->data ? b->data : "";
}

static int write_files(const struct host_files *f, const char *dir, bool *ret_changed,
		       struct err *err)
{
	_free_ char *hosts = xasprintf("%s/dnsmasq.hosts", dir);
	_free_ char *names = xasprintf("%s/" NAMES_DIR, dir);
	_free_ char *file = xasprintf("%s/hosts", names), *tmp = xasprintf("%s/names.new", dir);
	struct err ignored;
	_free_ char *old = io_read_file(file, DNSMASQ_TEXT_MAX, NULL, &ignored);

	if (io_folder(names, 0755, err) < 0)
		return -1;
	if (!str_eq(old, text_of(&f->names)) &&
	    replace_text(tmp, file, text_of(&f->names), err) < 0)
		return -1;
	return dnsmasq_write(hosts, text_of(&f->hosts), 0644, ret_changed, err);
}

int dnsmasq_hosts(const struct net *net, const char *dir, const json_t *hosts, bool *ret_changed,
		  struct err *err)
{
	struct host_files f = { SBUF(DNSMASQ_TEXT_MAX), SBUF(DNSMASQ_TEXT_MAX) };
	int rc = fill(&f, net, hosts, err);

	if (rc == 0)
		rc = write_files(&f, dir, ret_changed, err);
	sbuf_free(&f.hosts);
	sbuf_free(&f.names);
	return rc;
}

static void add_lease(json_t *list, const char *hostname, const char *mac, const char *address,
		      const char *type)
{
	json_t *l = json_object();

	json_put_str(l, "hostname", hostname);
	json_put_str(l, "hwaddr", mac);
	json_put_str(l, "address", address);
	json_put_str(l, "type", type);
	json_array_append_new(list, l);
}

/* "MAC,ADDRESS,NAME" */
static void add_static(json_t *list, char *line)
{
	char *f[3];
	size_t n = str_split(line, ',', f, ARRAY_SIZE(f));
	struct ip ip;

	if (n >= 2 && n <= ARRAY_SIZE(f) && ip_parse(f[1], &ip))
		add_lease(list, n == 3 ? f[2] : "", f[0], f[1], "static");
}

static void add_ip(json_t *map, char *line)
{
	char *f[3];
	size_t n = str_split(line, ',', f, ARRAY_SIZE(f));
	struct ip ip;

	if (n >= 2 && n <= ARRAY_SIZE(f) && ip_parse(f[1], &ip))
		json_put_str(map, f[0], f[1]);
}

static bool has_address(const json_t *list, const char *address)
{
	const json_t *l;
	size_t i;

	json_array_foreach(list, i, l) {
		if (str_eq(json_str(l, "address", ""), address))
			return true;
	}
	return false;
}

/* "EXPIRY MAC ADDRESS NAME CLIENT-ID"; an IPv6 lease has its interface's id in place of the MAC. */
static void add_dynamic(json_t *list, char *line)
{
	uint8_t mac[MAC_LEN];
	char *f[5];

	if (str_split(line, ' ', f, ARRAY_SIZE(f)) != ARRAY_SIZE(f) || has_address(list, f[2]))
		return;
	add_lease(list, str_eq(f[3], "*") ? "" : f[3], mac_parse(f[1], mac) ? f[1] : "", f[2],
		  "dynamic");
}

static void each_line(const char *dir, const char *file, json_t *list,
		      void (*fn)(json_t *list, char *line))
{
	_free_ char *path = xasprintf("%s/%s", dir, file), *text = NULL;
	struct err err;

	text = io_read_file(path, DNSMASQ_TEXT_MAX, NULL, &err);
	for (char *line = text, *next; line && *line; line = next) {
		char *end = strchr(line, '\n');

		next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = '\0';
		fn(list, line);
	}
}

json_t *dnsmasq_addresses(const char *dir)
{
	json_t *map = json_object();

	each_line(dir, "dnsmasq.hosts", map, add_ip);
	return map;
}

void dnsmasq_leases(const char *dir, json_t *list)
{
	each_line(dir, "dnsmasq.hosts", list, add_static);
	each_line(dir, "dnsmasq.leases", list, add_dynamic);
}
