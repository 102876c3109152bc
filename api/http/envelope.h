/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/envelope.h - how LXD's replies begin; metadata, or the text of an error, goes on. */
#pragma once

#define ENVELOPE_SYNC                                                                      \
	"{\"type\":\"sync\",\"status\":\"Success\",\"status_code\":200,\"operation\":\"\"," \
	"\"error_code\":0,\"error\":\"\",\"metadata\":"
/* For printf: the operation's URL. */
#define ENVELOPE_ASYNC                                                          \
	"{\"type\":\"async\",\"status\":\"Operation created\",\"status_code\":100," \
	"\"operation\":\"%s\",\"error_code\":0,\"error\":\"\",\"metadata\":"
/* For printf: the status. */
#define ENVELOPE_ERROR                                                       \
	"{\"type\":\"error\",\"status\":\"\",\"status_code\":0,\"operation\":\"\"," \
	"\"error_code\":%d,\"error\":"
