/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/stream/frame.h - checksummed messages over the stream between source and target.
 *
 * A frame is u32 type, u32 length, u32 CRC-32C of the other two and the payload, all little-
 * endian, then the payload. Each type has its own bound (frame.def). Sending is buffered until
 * frame_flush or a receive. The peer must send something every FRAME_SILENCE_MS; who works for
 * longer runs a heartbeat meanwhile. One thread owns a link; only the heartbeat of frame_busy
 * shares the sending half with it.
 */
#pragma once
#include "base/json.h"
#include "base/net/stream.h"
#include "migrate/stream/pace.h"

#define FRAME_HEAD 12
#define FRAME_PING_MS 1000
#define FRAME_SILENCE_MS 5000
#define FRAME_CHUNK (256 << 10) /* of files */

enum frame_type {
#define FRAME(name, number, max, what) FR_##name = (number),
#include "migrate/stream/frame.def"
#undef FRAME
};

struct frame {
	enum frame_type type;
	uint32_t len;
	const uint8_t *data;
};

/* One frame from the beginning of buf, pointing into it. Returns its whole length, 0 when more
 * bytes are needed, -1 when malformed. */
ssize_t frame_parse(const uint8_t *buf, size_t len, struct frame *ret, struct err *err);
void frame_head(uint8_t head[FRAME_HEAD], enum frame_type type, const void *data, size_t len);
const char *frame_name(enum frame_type type);

struct channel;
struct channel *channel_new(struct stream *own_stream);
void channel_free(struct channel *l); /* NULL is fine */
int channel_fd(const struct channel *l);
/* What it sends is bounded by that from now on, which must outlive it; NULL: by nothing. */
void channel_pace(struct channel *l, struct pace *pace);

/* The payload may come in two parts. */
int frame_send(struct channel *l, enum frame_type type, const void *data, size_t len,
	       struct err *err);
int frame_send2(struct channel *l, enum frame_type type, const void *head, size_t head_len,
		const void *data, size_t len, struct err *err);
int frame_send_json(struct channel *l, enum frame_type type, const json_t *j, struct err *err);
int frame_flush(struct channel *l, struct err *err);
/* The next frame that is no PING; valid until the next call. A FAIL becomes the error. Waits
 * until the peer has been silent for FRAME_SILENCE_MS (ERR_TIMEOUT), or for silence_ms when that
 * is more. */
int frame_recv(struct channel *l, struct frame *ret, int64_t silence_ms, struct err *err);
/* frame_recv of that type only. */
int frame_expect(struct channel *l, enum frame_type type, struct frame *ret, int64_t silence_ms,
		 struct err *err);
json_t *frame_json(const struct frame *f, struct err *err);
/* The error that a FAIL or LOST carries; returns -1. */
int frame_error(const struct frame *f, struct err *err);
/* An error of the stream itself ended it, not one that the peer reported. */
bool channel_is_lost(const struct channel *l);
int frame_send_error(struct channel *l, enum frame_type type, const struct err *why,
		     struct err *err);
/* The next one that has come, without waiting for more than its end: 1; 0: none. */
int frame_poll(struct channel *l, struct frame *ret, struct err *err);
/* Takes what has come without waiting, PINGs mostly: -1 for a FAIL, the end, or a frame that
 * nobody waits for. */
int frame_check(struct channel *l, struct err *err);
/* Tells the peer why, then lets what it still sends run dry so that the reason gets through. */
void frame_fail(struct channel *l, const struct err *why);

/* While on, a thread of its own sends PINGs; the owner does not use the link. */
void frame_busy(struct channel *l, bool on);

static inline void cleanup_channel(struct channel **l)
{
	channel_free(*l);
}
#define _channel_ __attribute__((cleanup(cleanup_channel)))

/* Little-endian numbers. */
static inline void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}
static inline void put_u64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}
static inline uint32_t get_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t get_u64(const uint8_t *p)
{
	return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}
