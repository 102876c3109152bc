/* SPDX-License-Identifier: Apache-2.0 */
/* CRIU keeps the sysctls of a network namespace and of each interface as lists in the order of its
 * own table, where accept_dad is the first. It sets those of the namespace, which new interfaces
 * take over, before there are any, and those of an interface when it is up. */
#include "node/criu/dad.h"

#include <stdbool.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/criu/message.h"

#define NOTES_MAX (64 << 10)
#define IDS_OF_INIT "ids-1.img"
enum { IDS_NETNS = 6, NETNS_DEFAULT6 = 5, NETNS_ALL6 = 6, LINK_NAME = 5, LINK_CONF6 = 10 };
enum { SYSCTL_TYPE = 1, SYSCTL_NUMBER = 2, TYPE_NUMBER = 6 };

static void take_id(void *arg, unsigned char *p, unsigned char *end)
{
	struct field f;

	while ((p = message_next(p, end, &f))) {
		if (f.type == FIELD_VARINT && f.number == IDS_NETNS)
			*(uint64_t *)arg = f.value;
	}
}

static int read_id(void *arg, unsigned char *data, size_t len)
{
	message_each(data, len, take_id, arg);
	return 0;
}

/* One entry of a list: what it said, 0 when there is nothing to turn off. */
static int turn_off(unsigned char *p, unsigned char *end)
{
	uint64_t type = 0, value = 0;
	unsigned char *at = NULL;
	struct field f;

	while ((p = message_next(p, end, &f))) {
		if (f.type != FIELD_VARINT)
			continue;
		if (f.number == SYSCTL_TYPE)
			type = f.value;
		if (f.number == SYSCTL_NUMBER && f.end - f.at == 1) {
			value = f.value;
			at = f.at;
		}
	}
	if (type != TYPE_NUMBER || !value)
		return 0;
	*at = 0;
	return (int)value;
}

/* The first entry of the list that is field `number`. */
static int turn_off_first(unsigned char *p, unsigned char *end, unsigned number)
{
	struct field f;

	while ((p = message_next(p, end, &f))) {
		if (f.type == FIELD_BYTES && f.number == number)
			return turn_off(f.at, f.end);
	}
	return 0;
}

static void in_namespace(void *arg, unsigned char *p, unsigned char *end)
{
	int new_ones = turn_off_first(p, end, NETNS_DEFAULT6);
	int all = turn_off_first(p, end, NETNS_ALL6);

	if (new_ones)
		sbuf_printf(arg, "default %d\n", new_ones);
	if (all)
		sbuf_printf(arg, "all %d\n", all);
}

static void in_link(void *arg, unsigned char *p, unsigned char *end)
{
	unsigned char *q = p;
	char name[16] = "";
	struct field f;
	int was;

	while ((q = message_next(q, end, &f))) {
		if (f.type == FIELD_BYTES && f.number == LINK_NAME && f.value < sizeof(name)) {
			memcpy(name, f.at, f.value);
			name[f.value] = '\0';
		}
	}
	was = str_is_ifname(name) ? turn_off_first(p, end, LINK_CONF6) : 0;
	if (was)
		sbuf_printf(arg, "%s %d\n", name, was);
}

static int edit_namespace(void *arg, unsigned char *data, size_t len)
{
	message_each(data, len, in_namespace, arg);
	return 1;
}

static int edit_links(void *arg, unsigned char *data, size_t len)
{
	message_each(data, len, in_link, arg);
	return 1;
}

void dad_skip(const char *dir)
{
	_free_ char *path = xasprintf("%s/%s", dir, DAD_NOTES), *netns = NULL, *links = NULL;
	_sbuf_ struct sbuf notes = SBUF(NOTES_MAX);
	struct err ignored;
	uint64_t id = 0;

	message_edit(dir, IDS_OF_INIT, read_id, &id);
	netns = xasprintf("netns-%llu.img", (unsigned long long)id);
	links = xasprintf("netdev-%llu.img", (unsigned long long)id);
	message_edit(dir, netns, edit_namespace, &notes);
	message_edit(dir, links, edit_links, &notes);
	if (notes.len)
		io_write_file(path, notes.data, notes.len, 0600, &ignored);
}
