/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of the helpers that read tarballs. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "node/helper/helper.h"
#include "node/image/image_int.h"

#define READ_MS (2 * 3600 * 1000)

static const struct {
	const char *name;
	size_t at;
} limits[] = {
#define LIMIT(field) { #field, offsetof(struct image_limits, field) }
	LIMIT(stored), LIMIT(unpacked), LIMIT(ratio),    LIMIT(ratio_from), LIMIT(entries),
	LIMIT(path),   LIMIT(depth),    LIMIT(metadata), LIMIT(template),   LIMIT(templates),
#undef LIMIT
};
static_assert(sizeof(struct image_limits) == ARRAY_SIZE(limits) * sizeof(uint64_t),
	      "a limit that no helper is told");

static uint64_t *limit_at(struct image_limits *l, size_t i)
{
	return (uint64_t *)((char *)l + limits[i].at);
}

static json_t *limits_json(const struct image_limits *l)
{
	struct image_limits copy = *l;
	json_t *j = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		json_put_int(j, limits[i].name, (int64_t)*limit_at(&copy, i));
	return j;
}

struct image_limits image_limits_of(const json_t *j)
{
	struct image_limits l;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		*limit_at(&l, i) = (uint64_t)json_int(j, limits[i].name, 0);
	return l;
}

/* Until it has ended, or its time has. */
static void follow(const struct image_job *job, const struct helper *h, int told, int64_t deadline)
{
	struct pollfd p[] = { { .fd = told, .events = POLLIN },
			      { .fd = h->proc.pidfd, .events = POLLIN } };
	int64_t done;

	while (deadline_left(deadline) > 0) {
		int n = poll(p, ARRAY_SIZE(p), deadline_left(deadline));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !p[0].revents || read(told, &done, sizeof(done)) != sizeof(done))
			return;
		if (job->progress)
			job->progress(job->arg, done);
	}
}

static json_t *run(const struct image_job *job, const json_t *request, struct helper *h,
		   struct err *err)
{
	_close_ int told = -1, tell = -1;
	int64_t deadline = deadline_in(READ_MS);
	int ends[2];

	assert(job->fds[0] >= 0);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "pipe"), NULL;
	told = ends[0];
	tell = ends[1];
	if (helper_begin_tied(h, job->verb, request,
			      (const int[]){ tell, job->fds[0], job->fds[1] },
			      job->fds[1] < 0 ? 2 : 3, err) < 0)
		return NULL;
	close(take_fd(&tell));
	follow(job, h, told, deadline);
	return helper_end(h, deadline, err);
}

json_t *image_job_run(const struct image_job *job, struct err *err)
{
	_json_ json_t *request = json_pack("{so,ss?,sb}", "limits", limits_json(job->limits),
					   "prefix", job->prefix, "pair", job->fds[1] >= 0);
	struct helper h = { .died = false };
	json_t *answer = run(job, request, &h, err);

	/* What an archive does to its reader is the archive's fault. */
	if (!answer && h.died) {
		err->kind = ERR_INVALID;
		err_wrap(err, "image %.12s: its archive could not be read", job->fp);
	}
	return answer;
}
