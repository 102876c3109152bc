/* SPDX-License-Identifier: Apache-2.0 */
/* dnsmasq.leases, "EXPIRY MAC ADDRESS NAME CLIENT-ID" a line: dnsmasq gives an address to nobody
 * else before its lease ends, though its owner may be another one by now. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/dnsmasq_int.h"

#define FIELDS 5
#define WRITE_CHUNK 4096 /* what stdio hands to the kernel at once */
#define WRITE_NS 1000000000L

/* {ipv4: mac} */
static json_t *owners_of(const char *dir)
{
	_json_ json_t *addresses = dnsmasq_addresses(dir);
	json_t *owners = json_object(), *address;
	const char *mac;

	json_object_foreach(addresses, mac, address)
		json_put_str(owners, json_string_value(address), mac);
	return owners;
}

static bool is_former(const json_t *owners, const char *line)
{
	_free_ char *copy = xstrdup(line);
	const char *owner;
	char *f[FIELDS];

	if (str_split(copy, ' ', f, FIELDS) != FIELDS)
		return false;
	owner = json_str(owners, f[2], NULL);
	return owner && !str_eq(owner, f[1]);
}

/* What remains of the leases, and how many do not. */
static size_t sort_leases(const char *dir, struct sbuf *kept)
{
	_free_ char *path = xasprintf("%s/dnsmasq.leases", dir), *text = NULL;
	_json_ json_t *owners = owners_of(dir);
	size_t former = 0;
	struct err err;

	text = io_read_file(path, DNSMASQ_TEXT_MAX, NULL, &err);
	for (char *line = text, *end; line && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (is_former(owners, line))
			former++;
		else
			sbuf_printf(kept, "%s\n", line);
	}
	return former;
}

static int64_t ns_of(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000L + t->tv_nsec;
}

/* dnsmasq empties its file and fills it again, and nothing says that it has ended. A file that was
 * made empty and never written since is whole. */
static bool may_be_half_written(const char *dir)
{
	_free_ char *path = xasprintf("%s/dnsmasq.leases", dir);
	struct statx st;
	int64_t written;

	if (statx(AT_FDCWD, path, 0, STATX_MTIME | STATX_BTIME | STATX_SIZE, &st) < 0)
		return false;
	written = ns_of(&st.stx_mtime);
	return st.stx_size % WRITE_CHUNK == 0 && clock_wall_ns() - written < WRITE_NS &&
	       !(st.stx_mask & STATX_BTIME && written == ns_of(&st.stx_btime));
}

bool dnsmasq_has_former(const char *dir)
{
	_sbuf_ struct sbuf kept = SBUF(DNSMASQ_TEXT_MAX);
	bool unknown = may_be_half_written(dir);

	return sort_leases(dir, &kept) > 0 || unknown || may_be_half_written(dir);
}

int dnsmasq_forget_former(const char *dir, struct err *err)
{
	_free_ char *path = xasprintf("%s/dnsmasq.leases", dir);
	_sbuf_ struct sbuf kept = SBUF(DNSMASQ_TEXT_MAX);

	if (sort_leases(dir, &kept) == 0)
		return 0;
	return io_write_file(path, kept.data ? kept.data : "", kept.data ? strlen(kept.data) : 0,
			     0600, err);
}
