/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/late.h - the loop's side of reply_late(): answers that are given after the handler
 * returned. */
#pragma once
#include "api/http/conn.h"

/* The head was sent; the text goes out now or when it comes. */
void late_attach(struct late *l, struct conn *c);
/* The client left. */
void late_abandon(struct late *l);
/* The text, in the reply's framing; ends the reply. */
void conn_late_done(struct conn *c, const char *text, size_t len);
