/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/db/wire.h - the dqlite wire protocol: building requests, taking answers apart.
 *
 * Little-endian 8-byte words throughout. Nothing here does I/O. Decoders trust no length: each
 * returns false on an answer that does not fit exactly, and what they return points into the body.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/sbuf.h"

#define WIRE_PROTOCOL 1u
#define WIRE_HEAD 8
#define WIRE_BODY_MAX (64u << 20)
#define WIRE_PARAMS_MAX 255
#define WIRE_COLUMNS_MAX 64

enum wire_request {
#define REQUEST(name, number) WIRE_REQ_##name = (number),
#include "cluster/db/wire.def"
#undef REQUEST
};

enum wire_response {
#define RESPONSE(name, number) WIRE_RES_##name = (number),
#include "cluster/db/wire.def"
#undef RESPONSE
};

enum wire_type {
	WIRE_INT = 1,
	WIRE_DOUBLE = 2,
	WIRE_TEXT = 3,
	WIRE_BLOB = 4,
	WIRE_NULL = 5,
	WIRE_UNIXTIME = 9,
	WIRE_ISO8601 = 10,
	WIRE_BOOL = 11,
};

struct wire_value {
	enum wire_type type;
	int64_t i;	  /* INT, UNIXTIME, BOOL */
	double d;	  /* DOUBLE */
	const char *text; /* TEXT, ISO8601 (NUL-terminated), BLOB */
	size_t len;
};

#define WIRE_I(v) ((struct wire_value){ .type = WIRE_INT, .i = (v) })
#define WIRE_T(s) ((struct wire_value){ .type = WIRE_TEXT, .text = (s) })
#define WIRE_N ((struct wire_value){ .type = WIRE_NULL })

/* --- building: begin, parts, end; the buffer holds exactly one request ------------------------ */

void wire_begin(struct sbuf *b, enum wire_request type);
void wire_u32(struct sbuf *b, uint32_t v);
void wire_u64(struct sbuf *b, uint64_t v);
void wire_text(struct sbuf *b, const char *s);
void wire_params(struct sbuf *b, const struct wire_value *v, size_t n);
void wire_end(struct sbuf *b);

/* --- taking apart ----------------------------------------------------------------------------- */

/* From the 8 bytes of a head. False when the body is longer than WIRE_BODY_MAX. */
bool wire_head(const void *head, uint8_t *ret_type, size_t *ret_len);

struct wire_cursor {
	const unsigned char *p;
	size_t left;
};

bool wire_get_u32(struct wire_cursor *c, uint32_t *ret);
bool wire_get_u64(struct wire_cursor *c, uint64_t *ret);
bool wire_get_text(struct wire_cursor *c, const char **ret);

bool wire_failure(struct wire_cursor c, uint64_t *ret_code, const char **ret_message);
bool wire_server(struct wire_cursor c, uint64_t *ret_id, const char **ret_address);
bool wire_stmt(struct wire_cursor c, uint32_t *ret_stmt, uint64_t *ret_params);
bool wire_result(struct wire_cursor c, uint64_t *ret_last_id, uint64_t *ret_affected);

struct wire_node {
	uint64_t id;
	const char *address;
	uint64_t role; /* 0 voter, 1 standby, 2 spare */
};
/* At most max nodes. False when malformed or more. */
bool wire_servers(struct wire_cursor c, struct wire_node *v, size_t max, size_t *ret_n);

enum wire_row { WIRE_ROW, WIRE_ROWS_DONE, WIRE_ROWS_MORE, WIRE_ROWS_BAD };
/* Column count of a ROWS body; leaves the cursor at the first row. */
bool wire_rows(struct wire_cursor *c, size_t *ret_columns);
/* The next row's values; DONE at the end, MORE when another ROWS message follows. */
enum wire_row wire_row(struct wire_cursor *c, size_t columns, struct wire_value *v);
