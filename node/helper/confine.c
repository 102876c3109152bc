/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#define NOBODY 65534
#define OPEN_FILES 32

/* The sanitizers' shadow is larger than any limit. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_MEMORY 0
#else
#define LIMIT_MEMORY 1
#endif

static int enter_root(int root, struct err *err)
{
	if (root >= 0 && (fchdir(root) < 0 || chroot(".") < 0))
		return err_sys(err, "enter the folder");
	return 0;
}

static int set_limit(int which, uint64_t max, struct err *err)
{
	struct rlimit r = { max, max };

	return setrlimit(which, &r) < 0 ? err_sys(err, "set limit %d", which) : 0;
}

static int set_limits(const struct confine *c, struct err *err)
{
	if (set_limit(RLIMIT_CPU, c->cpu_s, err) < 0 || set_limit(RLIMIT_CORE, 0, err) < 0 ||
	    set_limit(RLIMIT_NPROC, 0, err) < 0 || set_limit(RLIMIT_NOFILE, OPEN_FILES, err) < 0 ||
	    set_limit(RLIMIT_FSIZE, c->file_bytes ? c->file_bytes : RLIM_INFINITY, err) < 0)
		return -1;
	return LIMIT_MEMORY ? set_limit(RLIMIT_AS, c->memory_bytes, err) : 0;
}

static int drop_bounds(struct err *err)
{
	for (int cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EINVAL ? 0 : err_sys(err, "drop capability %d", cap);
	}
	return 0;
}

static int become_nobody(uint64_t keep, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32) },
	};

	if (drop_bounds(err) < 0)
		return -1;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
	    syscall(SYS_capset, &head, data) < 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "become nobody");
	return 0;
}

/* A change of user unties. */
static int tie(int sig, pid_t parent, struct err *err)
{
	if (sig && prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0) < 0)
		return err_sys(err, "tie to the parent");
	return sig && getppid() != parent ? err_set(err, ERR_CANCELLED, "the parent has ended") : 0;
}

enum { ALL, FILES };

static const struct {
	int call, with;
} allowed[] = {
#define ALLOWED(call, with) { SCMP_SYS(call), with },
#include "node/helper/confine.def"
#undef ALLOWED
};

static int filter_calls(bool files, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(allowed); i++) {
		if (files || allowed[i].with == ALL)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i].call, 0);
	}
	if (rc == 0)
		rc = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	errno = -rc;
	return rc < 0 ? err_sys(err, "filter system calls") : 0;
}

int confine_process(const struct confine *c, struct err *err)
{
	pid_t parent = getppid();
	int sig = 0;

	if (prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0) < 0)
		return err_sys(err, "ask for the tie to the parent");
	if (enter_root(c->root, err) < 0 || become_nobody(c->keep, err) < 0 ||
	    tie(sig, parent, err) < 0 || set_limits(c, err) < 0)
		return -1;
	return filter_calls(c->root >= 0, err);
}
