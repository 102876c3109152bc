/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/ws.h - a blocking websocket (RFC 6455) client endpoint over a stream; framing by wslay.
 *
 * One thread reads, any number may write (writes are serialised inside).
 */
#pragma once
#include "base/net/httpc.h"

enum ws_op { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8 };

struct ws;

/* Upgrades over c (a fresh connection); c may be freed afterwards. */
struct ws *ws_connect(struct httpc *c, const char *path, int64_t deadline, struct err *err);
void ws_free(struct ws *w);
int ws_fd(const struct ws *w);
bool ws_pending(const struct ws *w);
/* The next data message (the caller frees *ret); pings are answered inside. WS_CLOSE at the end. A
 * deadline of 0 waits for ever. -1: ERR_TIMEOUT or the connection failed. */
int ws_recv(struct ws *w, char **ret, size_t *ret_len, int64_t deadline, struct err *err);
int ws_send(struct ws *w, enum ws_op op, const void *data, size_t len, struct err *err);
int ws_close(struct ws *w, struct err *err);
