/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/handshake.h - the websocket handshake's answer to a key (RFC 6455 section 4.2.2). */
#pragma once

#define WS_ACCEPT_SIZE 29

/* key is what the client sent; the answer is base64 text. */
void ws_accept_key(const char *key, char ret[WS_ACCEPT_SIZE]);
