/* SPDX-License-Identifier: Apache-2.0 */
/* Warnings: there are none. */
#include "api/rest/handlers.h"

int h_warnings_get(struct req *r)
{
	return reply_sync(r, json_array());
}
