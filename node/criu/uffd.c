/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/uffd.h"

#include <assert.h>
#include <errno.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

#define PAGEMAP_MAX (256 << 20)

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

struct lazy_image *uffd_image(struct uffd *u, int64_t number)
{
	for (size_t i = 0; i < u->nimages; i++) {
		if (u->images[i].number == number)
			return &u->images[i];
	}
	return NULL;
}

static int add_image(struct uffd *u, int64_t number, struct err *err)
{
	_free_ char *path = xasprintf("pagemap-%lld.img", (long long)number);
	struct lazy_image image;
	size_t len = 0;
	_free_ char *data = io_read_file(path, PAGEMAP_MAX, &len, err);

	if (!data || lazy_image_parse(number, (unsigned char *)data, len, &image, err) < 0)
		return -1;
	u->images = xrealloc(u->images, (u->nimages + 1) * sizeof(*u->images));
	u->images[u->nimages++] = image;
	return 0;
}

static struct uffd_task *add_task(struct uffd *u, int own_fd, int64_t number)
{
	struct uffd_task *t = xnew(struct uffd_task);

	assert(own_fd >= 0);
	t->fd = own_fd;
	t->number = number;
	t->next = u->tasks;
	u->tasks = t;
	return t;
}

static int keep(const struct uffd *u, const struct uffd_task *t, struct err *err)
{
	return u->vault ? vault_put(u->vault, t->fd, err) : 0;
}

int uffd_add(struct uffd *u, int own_fd, int64_t number, struct err *err)
{
	struct uffd_task *t = add_task(u, own_fd, number);

	assert(number > 0);
	if (keep(u, t, err) < 0)
		return -1;
	if (uffd_image(u, number))
		return err_set(err, ERR_INVALID, "process %lld was restored twice",
			       (long long)number);
	if (add_image(u, number, err) < 0)
		return -1;
	lazy_parts_init(&t->missing, uffd_image(u, number));
	return 0;
}

/* It has ended: its descriptor stays, for a list that somebody walks, and tells no more. */
static void end_task(struct uffd_task *t)
{
	lazy_parts_done(&t->missing);
}

/* --- what the kernel tells ---------------------------------------------------------------- */

/* A page that was never there, or was given back. */
static int fill_zero(struct uffd_task *t, uint64_t address, struct err *err)
{
	struct uffdio_zeropage z = { .range = { address, page_size() } };

	if (ioctl(t->fd, UFFDIO_ZEROPAGE, &z) == 0 || errno == EAGAIN || errno == ENOENT)
		return 0;
	if (errno == EEXIST) {
		ioctl(t->fd, UFFDIO_WAKE, &z.range);
		return 0;
	}
	if (errno == ESRCH) {
		end_task(t);
		return 0;
	}
	return err_sys(err, "an empty page of process %lld", (long long)t->number);
}

static int take_fault(struct uffd *u, struct uffd_task *t, uint64_t address, struct err *err)
{
	struct lazy_image *image = uffd_image(u, t->number);
	struct lazy_part part;
	struct lazy_block *b;
	uint64_t at;

	address &= ~(page_size() - 1);
	if (!lazy_parts_find(&t->missing, address, &part))
		return fill_zero(t, address, err);
	at = part.image + (address - part.start);
	b = lazy_image_find(image, at);
	assert(b);
	u->fault(u->arg, image, b, at);
	return 0;
}

static int take_fork(struct uffd *u, struct uffd_task *t, int own_fd, struct err *err)
{
	struct uffd_task *child = add_task(u, own_fd, t->number);

	assert(child->fd != t->fd);
	lazy_parts_copy(&child->missing, &t->missing);
	return keep(u, child, err);
}

static int take_event(struct uffd *u, struct uffd_task *t, const struct uffd_msg *m,
		      struct err *err)
{
	switch (m->event) {
	case UFFD_EVENT_PAGEFAULT:
		return take_fault(u, t, m->arg.pagefault.address, err);
	case UFFD_EVENT_FORK:
		return take_fork(u, t, (int)m->arg.fork.ufd, err);
	case UFFD_EVENT_REMAP:
		lazy_parts_move(&t->missing, m->arg.remap.from, m->arg.remap.to, m->arg.remap.len);
		return 0;
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		lazy_parts_drop(&t->missing, m->arg.remove.start,
				m->arg.remove.end - m->arg.remove.start);
		return 0;
	}
	return err_set(err, ERR_INTERNAL, "userfaultfd tells of event %u", m->event);
}

int uffd_hear(struct uffd *u, struct uffd_task *t, struct err *err)
{
	struct uffd_msg m;
	ssize_t n;

	/* One at a time: whoever forks waits for its own. */
	while ((n = read(t->fd, &m, sizeof(m))) == sizeof(m)) {
		if (take_event(u, t, &m, err) < 0)
			return -1;
	}
	return n >= 0 || errno == EAGAIN || errno == EINTR ? 0 : err_sys(err, "read a userfaultfd");
}

/* --- pages -------------------------------------------------------------------------------- */

/* Bytes that need nothing more: copied, or there already, or nowhere; 0: it has changed, look
 * again; -1. */
static int64_t copy(struct uffd *u, struct uffd_task *t, const struct lazy_part *part,
		    const void *data, struct err *err)
{
	struct uffdio_copy c = { part->start, (uint64_t)(uintptr_t)data, part->len, 0, 0 };
	struct uffdio_range page = { part->start, page_size() };

	if (ioctl(t->fd, UFFDIO_COPY, &c) == 0)
		return (int64_t)part->len;
	if (c.copy > 0)
		return c.copy;
	switch (errno) {
	case EAGAIN:
		/* The task is about to tell of a change, or about to go on after it did. */
		sched_yield();
		return uffd_hear(u, t, err);
	case EEXIST:
		ioctl(t->fd, UFFDIO_WAKE, &page);
		return (int64_t)page.len;
	case ENOENT:
		/* It has been unmapped, or these are two mappings. */
		if (part->len == page.len)
			return (int64_t)page.len;
		return copy(u, t, &(struct lazy_part){ part->start, page.len, part->image }, data,
			    err);
	case ESRCH:
	case ENOSPC:
		end_task(t);
		return 0;
	}
	return err_sys(err, "a page of process %lld", (long long)t->number);
}

static int install_for(struct uffd *u, struct uffd_task *t, uint64_t start, uint64_t len,
		       const uint8_t *data, struct err *err)
{
	struct lazy_part part;

	while (lazy_parts_find_image(&t->missing, start, len, &part)) {
		int64_t n = copy(u, t, &part, data + (part.image - start), err);

		if (n < 0)
			return -1;
		if (n > 0)
			lazy_parts_drop(&t->missing, part.start, (uint64_t)n);
	}
	return 0;
}

int uffd_install(struct uffd *u, int64_t number, uint64_t start, uint64_t len, const void *data,
		 struct err *err)
{
	struct lazy_image *image = uffd_image(u, number);
	struct lazy_block *b = image ? lazy_image_find(image, start) : NULL;
	struct uffd_task *before = NULL;

	assert(b);
	/* While a task is heard it may get a child, which is then the first. */
	while (before != u->tasks) {
		struct uffd_task *first = u->tasks;

		for (struct uffd_task *t = first; t != before; t = t->next) {
			if (t->number == number && install_for(u, t, start, len, data, err) < 0)
				return -1;
		}
		before = first;
	}
	if (b->state != LAZY_DONE && b->start == start && b->len == len) {
		b->state = LAZY_DONE;
		image->left--;
	}
	return 0;
}

bool uffd_is_complete(const struct uffd *u)
{
	for (const struct uffd_task *t = u->tasks; t; t = t->next) {
		if (t->missing.n)
			return false;
	}
	return true;
}

void uffd_done(struct uffd *u)
{
	while (u->tasks) {
		struct uffd_task *t = u->tasks;

		u->tasks = t->next;
		close(t->fd);
		lazy_parts_done(&t->missing);
		free(t);
	}
	for (size_t i = 0; i < u->nimages; i++)
		lazy_image_done(&u->images[i]);
	free(u->images);
	*u = (struct uffd){ 0 };
}
