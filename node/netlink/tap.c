/* SPDX-License-Identifier: Apache-2.0 */
#include "node/netlink/tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/netlink/link.h"
#include "node/netlink/netlink.h"

#define DEVICE "/dev/net/tun"

/* A bridge takes the lowest address of its ports when it was given none: this is above all. */
static void high_address(uint8_t mac[MAC_LEN])
{
	rng_bytes(mac, MAC_LEN);
	mac[0] = 0xfe;
}

static int set_up(const struct tap_spec *s, struct err *err)
{
	struct ifinfomsg i = { .ifi_index = (int)if_nametoindex(s->name),
			       .ifi_change = IFF_UP,
			       .ifi_flags = IFF_UP };
	_free_ char *what = xasprintf("set up network interface %s", s->name);
	uint8_t mac[MAC_LEN];
	struct nlmsg m;

	high_address(mac);
	nl_begin(&m, RTM_NEWLINK, 0, &i, sizeof(i));
	nl_put(&m, IFLA_ADDRESS, mac, sizeof(mac));
	nl_put_u32(&m, IFLA_TXQLEN, s->frames);
	if (s->mtu)
		nl_put_u32(&m, IFLA_MTU, s->mtu);
	return nl_call(&m, what, err);
}

/* It has no business of its own on a network. */
static void silence(const char *name)
{
	_free_ char *path = xasprintf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* Without IPv6 there is nothing to silence. */
	if (fd >= 0 && write(fd, "1", 1) < 0)
		return;
}

int tap_open(const struct tap_spec *s, struct err *err)
{
	_close_ int fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (fd < 0)
		return err_sys(err, "open " DEVICE);
	if (!str_copy(r.ifr_name, sizeof(r.ifr_name), s->name))
		return err_set(err, ERR_INVALID, "\"%.40s\" is no interface name", s->name);
	/* One that somebody keeps without a process would become ours. */
	if (if_nametoindex(s->name))
		return err_set(err, ERR_CONFLICT, "there is a network interface %s already",
			       s->name);
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return err_sys(err, "make network interface %s", s->name);
	silence(s->name);
	return set_up(s, err) < 0 ? -1 : take_fd(&fd);
}
