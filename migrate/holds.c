/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/holds.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define SOCKET_NAME "move.sock"
#define LINE_MAX_LEN 400
#define CONNS_MAX 256

enum word { WORD_NONE, WORD_HOLD, WORD_PLUG, WORD_RESUMED };
static const char *const words[] = {
	[WORD_NONE] = "",
	[WORD_HOLD] = "hold",
	[WORD_PLUG] = "plug",
	[WORD_RESUMED] = "resumed",
};

struct conn {
	int fd;
	char line[LINE_MAX_LEN];
	size_t len;
	enum word word; /* WORD_NONE: not yet said */
	struct hold_id id;
	pid_t pid;
	struct conn *next;
};

struct hold {
	struct holds *all;
	struct hold_id id;
	int event;
	bool resumed, told, go, takes_plug;
	pid_t pid;
	struct hold *next;
};

struct holds {
	int listen_fd, wake_fd;
	bool stop;
	pthread_t thread;
	pthread_mutex_t lock;
	struct conn *conns;
	struct hold *holds;
	size_t nconns;
	void (*stray)(void *arg, const struct hold_id *id);
	void *arg;
};

static bool same_id(const struct hold_id *a, const struct hold_id *b)
{
	return a->source == b->source && str_eq(a->op, b->op) && str_eq(a->name, b->name);
}

static struct hold *find_hold(struct holds *h, const struct hold_id *id)
{
	struct hold *p = h->holds;

	while (p && !same_id(&p->id, id))
		p = p->next;
	return p;
}

static struct conn *find_word(struct holds *h, const struct hold_id *id, enum word word)
{
	struct conn *c = h->conns;

	while (c && !(c->word == word && same_id(&c->id, id)))
		c = c->next;
	return c;
}

static struct conn *find_conn(struct holds *h, const struct hold_id *id)
{
	return find_word(h, id, WORD_HOLD);
}

static void drop_conn(struct holds *h, struct conn *c)
{
	struct conn **pp = &h->conns;

	assert(h->nconns > 0);
	while (*pp != c)
		pp = &(*pp)->next;
	*pp = c->next;
	close(c->fd);
	free(c);
	h->nconns--;
}

static void poke(int event)
{
	uint64_t one = 1;

	if (write(event, &one, sizeof(one)) < 0)
		log_debug("event counter is full");
}

static void answer(struct holds *h, struct conn *c, bool go)
{
	if (send(c->fd, go ? "0" : "1", 1, MSG_NOSIGNAL) < 0)
		log_warn("an action script is gone", "instance", c->id.name);
	drop_conn(h, c);
}

/* --- what scripts say --------------------------------------------------------------------- */

static enum word word_of(const char *text)
{
	for (size_t i = WORD_HOLD; i < ARRAY_SIZE(words); i++) {
		if (str_eq(words[i], text))
			return (enum word)i;
	}
	return WORD_NONE;
}

/* "hold source OP NAME EPOCH PID" */
static bool parse_line(struct conn *c)
{
	char *part[6];
	uint64_t pid = 0;

	if (str_split(c->line, ' ', part, 6) != 6)
		return false;
	c->id.source = str_eq(part[1], "source");
	if ((!c->id.source && !str_eq(part[1], "target")) || !str_is_uuid(part[2]) ||
	    !str_is_folder(part[3]) || !str_to_i64(part[4], 0, INT64_MAX, &c->id.epoch) ||
	    (*part[5] && !str_to_u64(part[5], INT32_MAX, &pid)))
		return false;
	str_copy(c->id.op, sizeof(c->id.op), part[2]);
	str_copy(c->id.name, sizeof(c->id.name), part[3]);
	c->pid = (pid_t)pid;
	c->word = word_of(part[0]);
	return c->word != WORD_NONE;
}

/* A script holds, and nobody here knows its move: without the lock, for the answer may come. */
static void tell_stray(struct holds *h, const struct hold_id *id)
{
	pthread_mutex_unlock(&h->lock);
	h->stray(h->arg, id);
	pthread_mutex_lock(&h->lock);
}

static void take_line(struct holds *h, struct conn *c)
{
	struct hold_id id;
	struct hold *hold;

	if (!parse_line(c)) {
		log_warn("an action script said something odd");
		drop_conn(h, c);
		return;
	}
	hold = find_hold(h, &c->id);
	id = c->id;
	if (hold) {
		hold->pid = c->pid ? c->pid : hold->pid;
		hold->resumed |= c->word == WORD_RESUMED;
		poke(hold->event);
	}
	if (c->word == WORD_RESUMED || (c->word == WORD_PLUG && !(hold && hold->takes_plug))) {
		drop_conn(h, c);
	} else if (c->word == WORD_HOLD && hold && hold->told) {
		answer(h, c, hold->go);
	} else if (!hold) {
		tell_stray(h, &id);
	}
}

static void read_conn(struct holds *h, struct conn *c)
{
	ssize_t n = read(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len);
	struct hold *hold;
	char *nl;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A script that has spoken has nothing more to say: it died. */
	if (n <= 0 || c->word || c->len + (size_t)n == sizeof(c->line) - 1) {
		hold = c->word ? find_hold(h, &c->id) : NULL;
		drop_conn(h, c);
		if (hold)
			poke(hold->event);
		return;
	}
	c->len += (size_t)n;
	c->line[c->len] = '\0';
	nl = strchr(c->line, '\n');
	if (!nl)
		return;
	*nl = '\0';
	take_line(h, c);
}

/* --- the thread --------------------------------------------------------------------------- */

static void accept_one(struct holds *h)
{
	int fd = accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0)
		return;
	if (h->nconns == CONNS_MAX) {
		close(fd);
		return;
	}
	c = xnew(struct conn);
	c->fd = fd;
	c->next = h->conns;
	h->conns = c;
	h->nconns++;
}

static size_t fill_poll(struct holds *h, struct pollfd *pf)
{
	size_t n = 0;

	pf[n++] = (struct pollfd){ .fd = h->wake_fd, .events = POLLIN };
	pf[n++] = (struct pollfd){ .fd = h->listen_fd, .events = POLLIN };
	for (struct conn *c = h->conns; c; c = c->next)
		pf[n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
	return n;
}

static struct conn *conn_of(struct holds *h, int fd)
{
	struct conn *c = h->conns;

	while (c && c->fd != fd)
		c = c->next;
	return c;
}

static void *main_loop(void *arg)
{
	struct holds *h = arg;
	struct pollfd pf[CONNS_MAX + 2];
	uint64_t skip;
	size_t n;

	pthread_mutex_lock(&h->lock);
	while (!h->stop) {
		n = fill_poll(h, pf);
		pthread_mutex_unlock(&h->lock);
		poll(pf, n, -1);
		pthread_mutex_lock(&h->lock);
		if (pf[0].revents && read(h->wake_fd, &skip, sizeof(skip)) < 0)
			log_debug("woken for nothing");
		for (size_t i = 2; i < n; i++) {
			struct conn *c = pf[i].revents ? conn_of(h, pf[i].fd) : NULL;

			if (c)
				read_conn(h, c);
		}
		if (pf[1].revents)
			accept_one(h);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* A path of any length: the name is looked up in the open folder. */
static int listen_at(const char *run_dir, struct err *err)
{
	_close_ int dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (dir < 0 || fd < 0)
		return err_sys(err, "socket %s/%s", run_dir, SOCKET_NAME);
	unlinkat(dir, SOCKET_NAME, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%s", dir, SOCKET_NAME);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 64) < 0)
		return err_sys(err, "listen at %s/%s", run_dir, SOCKET_NAME);
	return take_fd(&fd);
}

struct holds *holds_new(const char *run_dir, void (*stray)(void *arg, const struct hold_id *id),
			void *arg, struct err *err)
{
	struct holds *h = xnew(struct holds);

	h->stray = stray;
	h->arg = arg;
	pthread_mutex_init(&h->lock, NULL);
	h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->listen_fd = listen_at(run_dir, err);
	if (h->listen_fd >= 0 && h->wake_fd >= 0 &&
	    pthread_create(&h->thread, NULL, main_loop, h) == 0)
		return h;
	h->stop = true;
	holds_free(h);
	return NULL;
}

void holds_free(struct holds *h)
{
	bool ran = !h->stop;

	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_mutex_unlock(&h->lock);
	poke(h->wake_fd);
	if (ran)
		pthread_join(h->thread, NULL);
	while (h->conns)
		drop_conn(h, h->conns);
	if (h->listen_fd >= 0)
		close(h->listen_fd);
	close(h->wake_fd);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* --- for those who expect one ------------------------------------------------------------- */

struct hold *hold_new(struct holds *h, const struct hold_id *id)
{
	struct hold *p = xnew(struct hold);
	struct conn *c;

	assert(h);
	p->all = h;
	p->id = *id;
	p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_lock(&h->lock);
	p->next = h->holds;
	h->holds = p;
	c = find_conn(h, id);
	if (c) {
		p->pid = c->pid;
		poke(p->event);
	}
	pthread_mutex_unlock(&h->lock);
	return p;
}

/* The script goes on. */
static void end_plug(struct holds *h, const struct hold_id *id)
{
	struct conn *c = find_word(h, id, WORD_PLUG);

	if (!c)
		return;
	drop_conn(h, c);
	/* The thread polls descriptors that are gone. */
	poke(h->wake_fd);
}

void hold_free(struct hold *p)
{
	struct holds *h = p ? p->all : NULL;
	struct hold **pp;
	bool waits;

	if (!p)
		return;
	pthread_mutex_lock(&h->lock);
	for (pp = &h->holds; *pp != p; pp = &(*pp)->next)
		;
	*pp = p->next;
	end_plug(h, &p->id);
	waits = find_conn(h, &p->id) != NULL;
	pthread_mutex_unlock(&h->lock);
	if (waits)
		h->stray(h->arg, &p->id);
	close(p->event);
	free(p);
}

int hold_fd(const struct hold *h)
{
	return h->event;
}

void hold_seen(struct hold *h)
{
	uint64_t skip;

	if (read(h->event, &skip, sizeof(skip)) < 0)
		return;
}

bool hold_here(struct hold *p)
{
	bool here;

	pthread_mutex_lock(&p->all->lock);
	here = find_conn(p->all, &p->id) != NULL;
	pthread_mutex_unlock(&p->all->lock);
	return here;
}

bool hold_resumed(struct hold *p)
{
	bool resumed;

	pthread_mutex_lock(&p->all->lock);
	resumed = p->resumed;
	pthread_mutex_unlock(&p->all->lock);
	return resumed;
}

pid_t hold_pid(struct hold *p)
{
	pid_t pid;

	pthread_mutex_lock(&p->all->lock);
	pid = p->pid;
	pthread_mutex_unlock(&p->all->lock);
	return pid;
}

void hold_takes_plug(struct hold *p)
{
	pthread_mutex_lock(&p->all->lock);
	p->takes_plug = true;
	pthread_mutex_unlock(&p->all->lock);
}

bool hold_plugs(struct hold *p)
{
	bool plugs;

	pthread_mutex_lock(&p->all->lock);
	plugs = find_word(p->all, &p->id, WORD_PLUG) != NULL;
	pthread_mutex_unlock(&p->all->lock);
	return plugs;
}

void hold_plugged(struct hold *p)
{
	pthread_mutex_lock(&p->all->lock);
	end_plug(p->all, &p->id);
	pthread_mutex_unlock(&p->all->lock);
}

void hold_tell(struct hold *p, bool go)
{
	struct holds *h = p->all;
	struct conn *c;

	pthread_mutex_lock(&h->lock);
	p->told = true;
	p->go = go;
	c = find_conn(h, &p->id);
	if (c) {
		answer(h, c, go);
		/* The thread polls descriptors that are gone. */
		poke(h->wake_fd);
	}
	pthread_mutex_unlock(&h->lock);
}
