/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/sink.h - what a move is made of on its target. */
#pragma once
#include "migrate/memory/images.h"
#include "migrate/move_int.h"
#include "migrate/rootfs/sync.h"
#include "migrate/traffic.h"

struct sink {
	struct mover *m;
	struct channel *ch;
	struct move mv;
	bool noted, complete;
	int64_t memory;
	json_t *instance;
	int root_fd;
	struct sync_target *sync;
	struct image_target *images;
	struct move_helper helper, pager;
	struct hold *hold;
	struct traffic *traffic; /* live */
	bool follows;            /* the source sends it on */
	pthread_t syncer;
	bool syncing;
	struct err unwritten; /* what the syncer says */
};

/* The rest is in arrive.c. Why the restore has ended; returns -1. */
int sink_helper_failed(struct sink *k, struct err *err);
/* Post-copy: whether its memory can still come. */
int sink_check_pager(struct sink *k, struct err *err);
/* It has been committed: the restored processes go on; or it is started if it shall run. */
int sink_finish_live(struct sink *k, struct err *err);
int sink_finish_cold(struct sink *k, struct err *err);
