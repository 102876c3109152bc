/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/stream/frame.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#define OUT_MAX (128 << 10)
#define LARGE (64 << 10)
#define IN_MAX ((1 << 20) + FRAME_HEAD)
#define DRAIN_MS 3000
#define STREAM "migration stream"

struct channel {
	struct stream *s;
	struct pace *pace; /* NULL: none */
	uint8_t *in, *out;
	size_t in_at, in_len, out_len;

	pthread_mutex_t send_lock;
	pthread_t beat;
	pthread_mutex_t beat_lock;
	pthread_cond_t beat_cond;
	bool beating, beat_stop;
	bool lost; /* an error of the stream itself ended it; atomic */
};

static const struct {
	enum frame_type type;
	const char *name;
	uint32_t max;
} types[] = {
#define FRAME(name, number, max, what) { FR_##name, #name, max },
#include "migrate/stream/frame.def"
#undef FRAME
};

static int type_index(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].type == type)
			return (int)i;
	}
	return -1;
}

const char *frame_name(enum frame_type type)
{
	int i = type_index(type);

	return i < 0 ? "?" : types[i].name;
}

static uint32_t checksum(const uint8_t head[8], const void *data, size_t len)
{
	return crc32c(crc32c(0, head, 8), data, len);
}

void frame_head(uint8_t head[FRAME_HEAD], enum frame_type type, const void *data, size_t len)
{
	put_u32(head, type);
	put_u32(head + 4, (uint32_t)len);
	put_u32(head + 8, checksum(head, data, len));
}

ssize_t frame_parse(const uint8_t *buf, size_t len, struct frame *ret, struct err *err)
{
	uint32_t type, size;
	int i;

	if (len < FRAME_HEAD)
		return 0;
	type = get_u32(buf);
	size = get_u32(buf + 4);
	i = type_index(type);
	if (i < 0)
		return err_set(err, ERR_INVALID, STREAM ": no message of type %u", type);
	if (size > types[i].max)
		return err_set(err, ERR_TOO_LARGE, STREAM ": %s of %u bytes", types[i].name, size);
	if (len - FRAME_HEAD < size)
		return 0;
	if (checksum(buf, buf + FRAME_HEAD, size) != get_u32(buf + 8))
		return err_set(err, ERR_INVALID, STREAM ": %s has a wrong checksum", types[i].name);
	*ret = (struct frame){ types[i].type, size, buf + FRAME_HEAD };
	return (ssize_t)(FRAME_HEAD + size);
}

struct channel *channel_new(struct stream *own_stream)
{
	struct channel *l = xnew(struct channel);
	pthread_condattr_t attr;

	assert(own_stream);
	l->s = own_stream;
	l->in = xcalloc(IN_MAX, 1);
	l->out = xcalloc(OUT_MAX, 1);
	pthread_mutex_init(&l->send_lock, NULL);
	pthread_mutex_init(&l->beat_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->beat_cond, &attr);
	pthread_condattr_destroy(&attr);
	return l;
}

void channel_free(struct channel *l)
{
	if (!l)
		return;
	frame_busy(l, false);
	stream_free(l->s);
	pthread_mutex_destroy(&l->send_lock);
	pthread_mutex_destroy(&l->beat_lock);
	pthread_cond_destroy(&l->beat_cond);
	free(l->in);
	free(l->out);
	free(l);
}

void channel_pace(struct channel *l, struct pace *pace)
{
	l->pace = pace;
}

int channel_fd(const struct channel *l)
{
	return stream_fd(l->s);
}

static int lost(struct channel *l, int rc)
{
	__atomic_store_n(&l->lost, true, __ATOMIC_RELEASE);
	return rc;
}

/* --- sending ------------------------------------------------------------------------------ */

static int write_out(struct channel *l, const uint8_t *data, size_t len, struct err *err)
{
	while (len) {
		size_t n = l->pace ? pace_take(l->pace, len) : len;

		assert(n > 0);
		stream_set_deadline(l->s, deadline_in(FRAME_SILENCE_MS));
		if (stream_write(l->s, data, n, err) < 0)
			return lost(l, err_wrap(err, STREAM));
		data += n;
		len -= n;
	}
	return 0;
}

static int flush_locked(struct channel *l, struct err *err)
{
	size_t len = l->out_len;

	l->out_len = 0;
	return write_out(l, l->out, len, err);
}

/* Small things are gathered, large ones are not copied. */
static int put_locked(struct channel *l, const void *data, size_t len, struct err *err)
{
	bool large = len >= LARGE;

	assert(l->out_len <= OUT_MAX);
	if ((large || l->out_len + len > OUT_MAX) && flush_locked(l, err) < 0)
		return -1;
	if (large)
		return write_out(l, data, len, err);
	if (len)
		memcpy(l->out + l->out_len, data, len);
	l->out_len += len;
	return 0;
}

int frame_send2(struct channel *l, enum frame_type type, const void *first, size_t first_len,
		const void *data, size_t len, struct err *err)
{
	int i = type_index(type), rc;
	uint8_t head[FRAME_HEAD];

	if (i < 0 || first_len + len > types[i].max)
		return err_set(err, ERR_TOO_LARGE, STREAM ": %s of %zu bytes", frame_name(type),
			       first_len + len);
	put_u32(head, type);
	put_u32(head + 4, (uint32_t)(first_len + len));
	put_u32(head + 8, crc32c(checksum(head, first, first_len), data, len));
	pthread_mutex_lock(&l->send_lock);
	rc = put_locked(l, head, FRAME_HEAD, err) < 0 || put_locked(l, first, first_len, err) < 0 ||
			     put_locked(l, data, len, err) < 0
		     ? -1
		     : 0;
	pthread_mutex_unlock(&l->send_lock);
	return rc;
}

int frame_send(struct channel *l, enum frame_type type, const void *data, size_t len,
	       struct err *err)
{
	return frame_send2(l, type, data, len, NULL, 0, err);
}

int frame_send_json(struct channel *l, enum frame_type type, const json_t *j, struct err *err)
{
	_free_ char *text = json_text(j);

	return frame_send(l, type, text, strlen(text), err) < 0 ? -1 : frame_flush(l, err);
}

int frame_flush(struct channel *l, struct err *err)
{
	int rc;

	pthread_mutex_lock(&l->send_lock);
	rc = flush_locked(l, err);
	pthread_mutex_unlock(&l->send_lock);
	return rc;
}

/* --- receiving ---------------------------------------------------------------------------- */

static int read_more(struct channel *l, int64_t deadline, struct err *err)
{
	ssize_t n;

	assert(l->in_at <= l->in_len);
	if (l->in_at) {
		memmove(l->in, l->in + l->in_at, l->in_len - l->in_at);
		l->in_len -= l->in_at;
		l->in_at = 0;
	}
	stream_set_deadline(l->s, deadline);
	n = stream_read(l->s, l->in + l->in_len, IN_MAX - l->in_len, err);
	if (n == 0)
		return lost(l, err_set(err, ERR_UNAVAILABLE, STREAM ": closed by the other side"));
	if (n < 0)
		return lost(l, err_wrap(err, STREAM));
	l->in_len += (size_t)n;
	return 0;
}

json_t *frame_json(const struct frame *f, struct err *err)
{
	return json_parse((const char *)f->data, f->len, "migration message", err);
}

int frame_error(const struct frame *f, struct err *err)
{
	_json_ json_t *j = frame_json(f, err);

	if (!j)
		return -1;
	return err_set(err, err_from_name(json_str(j, "kind", "")), "%s",
		       json_str(j, "message", "no reason given"));
}

bool channel_is_lost(const struct channel *l)
{
	return __atomic_load_n(&l->lost, __ATOMIC_ACQUIRE);
}

int frame_recv(struct channel *l, struct frame *ret, int64_t silence_ms, struct err *err)
{
	int64_t silence = silence_ms > FRAME_SILENCE_MS ? silence_ms : FRAME_SILENCE_MS;
	ssize_t n;

	if (frame_flush(l, err) < 0)
		return -1;
	for (;;) {
		while ((n = frame_parse(l->in + l->in_at, l->in_len - l->in_at, ret, err)) == 0) {
			if (read_more(l, deadline_in(silence), err) < 0)
				return -1;
		}
		if (n < 0)
			return lost(l, -1);
		l->in_at += (size_t)n;
		if (ret->type == FR_FAIL)
			return frame_error(ret, err);
		if (ret->type != FR_PING)
			return 0;
	}
}

int frame_expect(struct channel *l, enum frame_type type, struct frame *ret, int64_t silence_ms,
		 struct err *err)
{
	if (frame_recv(l, ret, silence_ms, err) < 0)
		return -1;
	if (ret->type != type)
		return lost(l, err_set(err, ERR_INVALID, STREAM ": %s where %s was due",
				       frame_name(ret->type), frame_name(type)));
	return 0;
}

static bool readable(const struct channel *l)
{
	struct pollfd pf = { .fd = stream_fd(l->s), .events = POLLIN };

	return stream_pending(l->s) || poll(&pf, 1, 0) > 0;
}

int frame_poll(struct channel *l, struct frame *ret, struct err *err)
{
	ssize_t n;

	for (;;) {
		n = frame_parse(l->in + l->in_at, l->in_len - l->in_at, ret, err);
		if (n < 0)
			return lost(l, -1);
		l->in_at += (size_t)n;
		if (n > 0 && ret->type == FR_FAIL)
			return frame_error(ret, err);
		if (n > 0 && ret->type != FR_PING)
			return 1;
		if (n == 0 && !readable(l))
			return 0;
		if (n == 0 && read_more(l, deadline_in(FRAME_SILENCE_MS), err) < 0)
			return -1;
	}
}

int frame_check(struct channel *l, struct err *err)
{
	struct frame f;
	int rc = frame_poll(l, &f, err);

	if (rc <= 0)
		return rc;
	return lost(l, err_set(err, ERR_INVALID, STREAM ": an unexpected %s", frame_name(f.type)));
}

int frame_send_error(struct channel *l, enum frame_type type, const struct err *why,
		     struct err *err)
{
	_json_ json_t *j = json_pack("{ss,ss}", "kind", err_name(why->kind), "message", why->msg);

	return frame_send_json(l, type, j, err);
}

void frame_fail(struct channel *l, const struct err *why)
{
	struct err err;
	int64_t deadline = deadline_in(DRAIN_MS);

	frame_busy(l, false);
	if (frame_send_error(l, FR_FAIL, why, &err) < 0)
		return;
	stream_end_write(l->s);
	/* Closing with unread bytes would reset the connection and take the reason with it. */
	stream_set_deadline(l->s, deadline);
	while (clock_ms() < deadline && stream_read(l->s, l->in, IN_MAX, &err) > 0)
		;
}

/* --- heartbeat ---------------------------------------------------------------------------- */

static void *beat_main(void *arg)
{
	struct channel *l = arg;
	struct err err;

	pthread_mutex_lock(&l->beat_lock);
	while (!l->beat_stop) {
		struct timespec at = deadline_timespec(deadline_in(FRAME_PING_MS));

		pthread_cond_timedwait(&l->beat_cond, &l->beat_lock, &at);
		/* A link that is down shows when it is used again. */
		if (!l->beat_stop && frame_send(l, FR_PING, NULL, 0, &err) == 0)
			frame_flush(l, &err);
	}
	pthread_mutex_unlock(&l->beat_lock);
	return NULL;
}

static void beat_begin(struct channel *l)
{
	struct err err;

	assert(!l->beating);
	frame_flush(l, &err);
	l->beat_stop = false;
	l->beating = pthread_create(&l->beat, NULL, beat_main, l) == 0;
}

static void beat_end(struct channel *l)
{
	assert(l->beating);
	pthread_mutex_lock(&l->beat_lock);
	l->beat_stop = true;
	pthread_cond_signal(&l->beat_cond);
	pthread_mutex_unlock(&l->beat_lock);
	pthread_join(l->beat, NULL);
	l->beating = false;
}

void frame_busy(struct channel *l, bool on)
{
	if (on && !l->beating)
		beat_begin(l);
	else if (!on && l->beating)
		beat_end(l);
}
