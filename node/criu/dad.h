/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/dad.h - IPv6 addresses that come back with their container are used at once.
 *
 * Whoever gives an interface an address makes sure first, for a second and more, that nobody else
 * has it (duplicate address detection, RFC 4862, 5.4), and cannot be reached there before. One that
 * was the container's all the time needs no such question. So accept_dad (ip-sysctl) is 0 in the
 * images while CRIU restores the interfaces, and what it was is put back once the container runs.
 */
#pragma once

/* Lines "NAME VALUE" of what is to be put back; beside the images. */
#define DAD_NOTES "accept-dad.img"
#define DAD_PATH "/proc/sys/net/ipv6/conf/%s/accept_dad"

/* In the images of DIR, of the network namespace of init. What is not as expected is left as it
 * is: then the kernel asks. */
void dad_skip(const char *dir);
