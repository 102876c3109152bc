/* SPDX-License-Identifier: Apache-2.0 */
/* Post-copy, source: memory of tasks that stand still, for a target that asks for it
 * (node/criu/pages.h). Nothing is kept here but the note of the move: a daemon that was started
 * anew serves like the one before. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/move_int.h"
#include "node/container/steps.h"
#include "node/criu/pages.h"
#include "node/host/cgroup.h"

#define SILENCE_MS 10000
#define STATUS_MAX (64 << 10)

struct task {
	int64_t number; /* inside */
	pid_t pid;
};

struct server {
	struct mover *m;
	struct stream *stream;
	struct move *mv; /* NULL: there is nothing to serve */
	struct task *tasks;
	size_t n;
	struct {
		struct page_msg head;
		uint8_t data[PAGES_BYTES_MAX];
	} answer;
};

/* The innermost number of "NSpid:", or 0. */
static int64_t inner_number(pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/status", pid);
	struct err err;
	_free_ char *text = io_read_file(path, STATUS_MAX, NULL, &err);
	char *line = text ? strstr(text, "\nNSpid:") : NULL, *last;
	int64_t number;

	if (!line)
		return 0;
	line++;
	line[strcspn(line, "\n")] = '\0';
	last = strrchr(line, '\t');
	return last && str_to_i64(last + 1, 1, INT32_MAX, &number) ? number : 0;
}

static int add_task(void *arg, pid_t pid)
{
	struct server *s = arg;

	s->tasks = xrealloc(s->tasks, (s->n + 1) * sizeof(*s->tasks));
	s->tasks[s->n++] = (struct task){ inner_number(pid), pid };
	return 0;
}

static void find_tasks(struct server *s)
{
	_json_ json_t *request = container_request(s->m->o.node, s->mv->id.name);

	cgroup_each_pid(json_str(request, "cgroup_name", ""), s->mv->id.name, "payload", add_task,
			s);
}

static pid_t find_task(const struct server *s, uint64_t number)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->tasks[i].number == (int64_t)number)
			return s->tasks[i].pid;
	}
	return 0;
}

/* Its header; the data follows it for PAGE_DATA. */
static void read_pages(struct server *s, const struct page_msg *get)
{
	pid_t pid = s->mv ? find_task(s, get->process) : 0;

	assert(page_msg_is_get(get));
	s->answer.head = *get;
	s->answer.head.cmd = PAGE_DATA;
	if (!pid || pages_read(pid, get->address, s->answer.data, pages_bytes(get->pages)) < 0)
		s->answer.head = (struct page_msg){ .cmd = PAGE_GONE };
}

/* How it has ended there. */
static int note_end(struct server *s, uint32_t cmd, struct err *err)
{
	struct move *mv = journal_find(s->m, &s->mv->id);
	bool *flag;
	int rc = 0;

	if (!mv)
		return 0;
	flag = cmd == PAGE_ALL ? &mv->fetched : &mv->starved;
	if (!*flag && fault_point(move_source_fetched, err) < 0)
		rc = -1;
	if (!*flag && rc == 0) {
		*flag = true;
		rc = journal_note(s->m, mv, err);
	}
	/* One that its own job works on is not concluded here. */
	move_conclude_later(s->m, mv);
	move_free(mv);
	pthread_mutex_lock(&s->m->lock);
	pthread_cond_broadcast(&s->m->ended);
	pthread_cond_broadcast(&s->m->told);
	pthread_mutex_unlock(&s->m->lock);
	return rc;
}

static int send_paced(struct server *s, size_t len, struct err *err)
{
	const uint8_t *at = (const uint8_t *)&s->answer;

	while (len) {
		size_t n = pace_take(s->m->pace, len);

		stream_set_deadline(s->stream, deadline_in(SILENCE_MS));
		if (stream_write(s->stream, at, n, err) < 0)
			return -1;
		at += n;
		len -= n;
	}
	return 0;
}

static int answer(struct server *s, const struct page_msg *asked, struct err *err)
{
	size_t len = sizeof(*asked);

	s->answer.head = *asked;
	if (page_msg_is_get(asked)) {
		read_pages(s, asked);
		if (s->answer.head.cmd == PAGE_DATA)
			len += pages_bytes(asked->pages);
	} else if (asked->cmd == PAGE_ALL || asked->cmd == PAGE_FAILED) {
		if (s->mv && note_end(s, asked->cmd, err) < 0)
			return -1;
	} else if (asked->cmd != PAGE_PING) {
		return err_set(err, ERR_INVALID, "pages of a move: no message of type %u",
			       asked->cmd);
	}
	return send_paced(s, len, err);
}

static int serve(struct server *s, struct err *err)
{
	struct hold_id id = { .source = true };
	struct page_msg asked;

	stream_set_deadline(s->stream, deadline_in(SILENCE_MS));
	if (stream_read_full(s->stream, id.op, UUID_SIZE - 1, err) < 0)
		return -1;
	s->mv = str_is_uuid(id.op) ? journal_find(s->m, &id) : NULL;
	if (s->mv && s->mv->lazy)
		find_tasks(s);
	for (;;) {
		stream_set_deadline(s->stream, deadline_in(SILENCE_MS));
		if (stream_read_full(s->stream, &asked, sizeof(asked), err) < 0 ||
		    answer(s, &asked, err) < 0)
			return -1;
	}
}

void move_serve_pages(struct mover *m, struct stream *own_stream)
{
	struct server *s = xnew(struct server);
	struct err err;

	assert(own_stream);
	s->m = m;
	s->stream = own_stream;
	if (serve(s, &err) < 0)
		log_err(LOG_DEBUG, "pages of a move", &err);
	stream_free(s->stream);
	move_free(s->mv);
	free(s->tasks);
	free(s);
}
