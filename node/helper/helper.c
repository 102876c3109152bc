/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/helper.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define ANSWER_MAX (16 << 20)
#define LOG_MAX 4096
#define VERB_PREFIX "helper-"

/* Answers and logs are memory files, not pipes: a helper never blocks on a reader, and a
 * process that inherited one keeps nobody waiting for an end of file. */
static int memory_file(const char *name, const char *text, struct err *err)
{
	_close_ int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || (text && io_write_full(fd, text, strlen(text)) < 0) ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "memory file");
	return take_fd(&fd);
}

static void close_files(struct helper *h)
{
	if (h->out >= 0)
		close(take_fd(&h->out));
	if (h->log >= 0)
		close(take_fd(&h->log));
}

/* A program that was started for a verb and did not take it goes on as if it had been given none:
 * it would start itself for ever. */
static bool is_helper(void)
{
	struct err err;
	size_t len = 0;
	_free_ char *words = io_read_file("/proc/self/cmdline", ANSWER_MAX, &len, &err);

	return words && strlen(words) + 1 < len &&
	       str_starts(words + strlen(words) + 1, VERB_PREFIX);
}

static int spawn(struct helper *h, const char *verb, const char *tie, int in, const int *extra,
		 int nextra, struct err *err)
{
	const char *const argv[] = { "/proc/self/exe", verb, tie, NULL };
	struct proc_spec spec = { .argv = argv,
				  .fds = { -1, h->log, h->log, in, h->out },
				  .nfds = HELPER_FD_EXTRA + nextra };

	assert(str_starts(verb, VERB_PREFIX));
	if (is_helper())
		return err_set(err, ERR_INTERNAL, "%s: a helper starts no other helper", verb);
	if (nextra > PROC_FDS_MAX - HELPER_FD_EXTRA)
		return err_set(err, ERR_INTERNAL, "%s: too many descriptors", verb);
	for (int i = 0; i < nextra; i++)
		spec.fds[HELPER_FD_EXTRA + i] = extra[i];
	return proc_spawn(&spec, &h->proc, err);
}

static int begin(struct helper *h, const char *verb, const char *tie, const json_t *request,
		 const int *extra, int nextra, struct err *err)
{
	_free_ char *text = json_text(request);
	_close_ int in = memory_file("request", text, err);

	*h = (struct helper){ .proc = { .pidfd = -1 }, .out = -1, .log = -1 };
	if (in < 0)
		return -1;
	h->out = memory_file("answer", NULL, err);
	h->log = memory_file("log", NULL, err);
	if (h->out < 0 || h->log < 0 || spawn(h, verb, tie, in, extra, nextra, err) < 0) {
		close_files(h);
		return -1;
	}
	return 0;
}

int helper_begin(struct helper *h, const char *verb, const json_t *request, const int *extra_fds,
		 int nextra, struct err *err)
{
	return begin(h, verb, NULL, request, extra_fds, nextra, err);
}

int helper_begin_tied(struct helper *h, const char *verb, const json_t *request,
		      const int *extra_fds, int nextra, struct err *err)
{
	_free_ char *tie = xasprintf("%d", getpid());

	return begin(h, verb, tie, request, extra_fds, nextra, err);
}

static char *file_text(int fd, size_t max, size_t *ret_len)
{
	off_t end = lseek(fd, 0, SEEK_END);
	size_t want = end < 0 ? 0 : (size_t)end < max ? (size_t)end : max;
	char *s = xcalloc(want + 1, 1);
	ssize_t n = pread(fd, s, want, end > 0 ? end - (off_t)want : 0);

	*ret_len = n < 0 ? 0 : (size_t)n;
	s[*ret_len] = '\0';
	return s;
}

/* The helper died without an answer: what it wrote on stderr is all there is to tell. */
static int died(const struct helper *h, int status, struct err *err)
{
	size_t len;
	_free_ char *log = file_text(h->log, LOG_MAX, &len);
	const char *line = log;

	while (len && (log[len - 1] == '\n' || log[len - 1] == ' '))
		log[--len] = '\0';
	if (strrchr(log, '\n'))
		line = strrchr(log, '\n') + 1;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_INTERNAL, "a helper process was killed by signal %d%s%s",
			       WTERMSIG(status), *line ? ": " : "", line);
	return err_set(err, ERR_INTERNAL, "a helper process gave no answer (status %d)%s%s",
		       WEXITSTATUS(status), *line ? ": " : "", line);
}

static json_t *answer(struct helper *h, int status, struct err *err)
{
	size_t len;
	_free_ char *text = file_text(h->out, ANSWER_MAX, &len);
	_json_ json_t *j = len ? json_parse(text, len, "helper's answer", err) : NULL;
	const json_t *fail = json_obj(j, "error");
	json_t *ok = json_object_get(j, "ok");

	if (ok)
		return json_incref(ok);
	if (!fail) {
		h->died = true;
		died(h, status, err);
		return NULL;
	}
	err_set(err, err_from_name(json_str(fail, "kind", "")), "%s",
		json_str(fail, "message", "no message"));
	return NULL;
}

json_t *helper_end(struct helper *h, int64_t deadline, struct err *err)
{
	json_t *ret = NULL;
	int status = 0;

	if (proc_wait(&h->proc, deadline, &status, err) == 0) {
		ret = answer(h, status, err);
	} else {
		h->died = true;
		proc_kill(&h->proc);
	}
	close_files(h);
	return ret;
}

void helper_kill(struct helper *h)
{
	proc_kill(&h->proc);
	close_files(h);
}

json_t *helper_run(const char *verb, const json_t *request, const int *extra_fds, int nextra,
		   int64_t deadline, struct err *err)
{
	struct helper h;

	if (helper_begin_tied(&h, verb, request, extra_fds, nextra, err) < 0)
		return NULL;
	return helper_end(&h, deadline, err);
}

/* --- child side --------------------------------------------------------------------------- */

static json_t *read_request(struct err *err)
{
	size_t len;
	_free_ char *text = file_text(HELPER_FD_IN, ANSWER_MAX, &len);
	/* A hook that other programs start has no request. */
	json_t *j = len ? json_parse(text, len, "helper's request", err) : json_object();

	close(HELPER_FD_IN);
	return j;
}

static int write_answer(json_t *own_result, const struct err *err)
{
	_json_ json_t *j = own_result ? json_pack("{so}", "ok", own_result)
				      : json_pack("{s{ss,ss}}", "error", "kind",
						  err_name(err->kind), "message", err->msg);
	_free_ char *text = json_text(j);

	if (io_write_full(HELPER_FD_OUT, text, strlen(text)) < 0)
		return 1;
	return own_result ? 0 : 1;
}

static int run_verb(const char *verb, helper_fn fn, const char *tie)
{
	struct err err = { 0 };
	_json_ json_t *request = NULL;
	json_t *result = NULL;
	uint64_t parent;

	/* A helper that somebody waits for ends with its daemon, so that the next daemon finds
	 * no job of the former one still at work. The spawning thread is the one that waits. */
	if (tie && str_to_u64(tie, INT32_MAX, &parent)) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != (pid_t)parent)
			return 1;
	}
	prctl(PR_SET_NAME, verb);
	signal(SIGPIPE, SIG_IGN);
	request = read_request(&err);
	if (request && chdir("/") == 0)
		result = fn(request, &err);
	return write_answer(result, &err);
}

int helper_main(const struct helper_verb *verbs, int argc, char **argv)
{
	for (; argc > 1 && verbs->verb; verbs++) {
		if (str_eq(argv[1], verbs->verb))
			return run_verb(verbs->verb, verbs->fn, argc > 2 ? argv[2] : NULL);
	}
	return -1;
}
