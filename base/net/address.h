/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/address.h - addresses of servers as people and rows write them, and their one grammar:
 *
 *     HOST  HOST:PORT  IPV4  IPV4:PORT  [IPV6]  [IPV6]:PORT  IPV6  :PORT
 *
 * An IPv6 address without brackets has no port: "fd00::1:8443" would be an address, too. It may
 * have a zone (RFC 4007, 11). Names are not looked up.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Where the API is when an address says nothing else; LXD's. */
#define ADDRESS_PORT "8443"
#define ADDRESS_HOST_SIZE 256

enum address_host { ADDRESS_NAME, ADDRESS_IP4, ADDRESS_IP6 };

struct address {
	enum address_host is;
	char host[ADDRESS_HOST_SIZE]; /* without brackets; "" (a name) when there was none */
	int port;                     /* 0 to 65535; -1 when there was none */
};

/* ERR_INVALID says what the text must be ("must end in a port ..."), without naming it. */
int address_parse(const char *text, struct address *ret, struct err *err);
/* "host:port" or "[v6]:port", with ADDRESS_PORT where there is none; the caller frees. */
char *address_text(const struct address *a);
/* No host, "*", 0.0.0.0 or [::]: all addresses of a host, so that nobody can be told to come there.
 */
bool address_is_any(const struct address *a);
/* The same of text; false for what is no address. */
bool address_text_is_any(const char *text);
/* For getaddrinfo(3), of text that has a port; errors name it. The host's room may be any. */
int address_split(const char *text, char *host, size_t host_size, char port[8], struct err *err);
/* Of an address to listen on: a key_parser (base/keys.h) that gives address_text(), as char * for
 * the caller to free. An address without host is every address. */
int listen_parse(const char *text, void *ret, struct err *err);
