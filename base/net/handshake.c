/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/handshake.h"

#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

void ws_accept_key(const char *key, char ret[WS_ACCEPT_SIZE])
{
	_free_ char *joined = xasprintf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	_free_ char *text = NULL;
	unsigned char sum[20];

	sha1(joined, strlen(joined), sum);
	text = base64_encode(sum, sizeof(sum));
	str_copy(ret, WS_ACCEPT_SIZE, text);
}
