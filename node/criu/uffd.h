/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/uffd.h - the memory of restored tasks by userfaultfd(2): their faults and changes in,
 * pages out. */
#pragma once
#include "node/criu/lazy.h"
#include "node/criu/vault.h"

struct uffd_task {
	int fd;
	int64_t number; /* of its image */
	struct lazy_parts missing;
	struct uffd_task *next;
};

struct uffd {
	struct uffd_task *tasks;
	struct lazy_image *images;
	size_t nimages;
	const struct vault *vault; /* has a copy of each task's descriptor; NULL: there is none */
	/* The page that was dumped at `at`, in that block, is waited for. */
	void (*fault)(void *arg, struct lazy_image *image, struct lazy_block *b, uint64_t at);
	void *arg;
};

struct lazy_image *uffd_image(struct uffd *u, int64_t number); /* or NULL */
/* A restored task, with the image in the working folder. */
int uffd_add(struct uffd *u, int own_fd, int64_t number, struct err *err);
/* Takes what the kernel tells of that task. */
int uffd_hear(struct uffd *u, struct uffd_task *t, struct err *err);
/* Gives bytes that have come to all tasks that miss them. Only what was waited for, until all tasks
 * are restored: what is not mapped counts as given back. */
int uffd_install(struct uffd *u, int64_t number, uint64_t start, uint64_t len, const void *data,
		 struct err *err);
/* Nobody misses anything. */
bool uffd_is_complete(const struct uffd *u);
void uffd_done(struct uffd *u);
