/* SPDX-License-Identifier: Apache-2.0 */
/* node/console/wire.h - between the daemon and the program that holds a container's console
 * (node/hook/console_holder.c).
 *
 * A connection begins with a struct console_hello in one write. CONSOLE_ATTACH: the rest is a
 * stream of bytes from and to the console. CONSOLE_SIZE: nothing follows. CONSOLE_WATCH: only
 * its first byte, as io_send_fd writes it, with a pidfd: the holder ends with that process.
 * Everything ends when the socket's name is removed.
 */
#pragma once
#include <stdint.h>

/* In the folder of the container. */
#define CONSOLE_TTY "console" /* symlink to the tty's name on the host */
#define CONSOLE_SOCK "console.sock"
#define CONSOLE_LOG "console.log"

#define CONSOLE_LOG_MAX (1 << 20)
#define CONSOLE_LOG_KEPT (CONSOLE_LOG_MAX / 2) /* of a full one: the newer half */

enum { CONSOLE_ATTACH = 'a', CONSOLE_SIZE = 's', CONSOLE_WATCH = 'f' };

struct console_hello {
	uint8_t word, unused;
	uint16_t width, height; /* 0: as it is */
};
