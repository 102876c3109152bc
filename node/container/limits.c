/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/limits.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/container/keys.h"

#define MEMORY_MIN_BYTES (1 << 20) /* less holds no init */
#define CPUS_MAX 65535
#define CPU_PARTS_MAX 128

/* --- values ---------------------------------------------------------------------------------- */

static bool parse_percent(const char *text, uint64_t *ret)
{
	_free_ char *n = xstrdup(text);

	n[strlen(n) - 1] = '\0';
	return str_to_u64(n, 100, ret) && *ret > 0;
}

int limits_parse_memory(const char *text, void *ret, struct err *err)
{
	struct limits_memory m = { 0 };
	bool ok = str_ends(text, "%") ? parse_percent(text, &m.percent)
				      : str_to_size(text, &m.bytes) &&
						m.bytes >= MEMORY_MIN_BYTES && m.bytes <= INT64_MAX;

	if (!ok)
		return err_set(err, ERR_INVALID,
			       "must be a size such as 512MiB, at least 1MiB, or a share such as "
			       "10%%");
	if (ret)
		*(struct limits_memory *)ret = m;
	return 0;
}

/* "0-2,5": numbers and ranges only. */
static bool parse_set(const char *text, struct limits_cpus *ret)
{
	_free_ char *copy = xstrdup(text);
	char *part[CPU_PARTS_MAX], *end[2];
	size_t n = str_split(copy, ',', part, CPU_PARTS_MAX);
	uint64_t a, b;

	for (size_t i = 0; i < n && n <= CPU_PARTS_MAX; i++) {
		size_t ends = str_split(part[i], '-', end, 2);

		if (ends > 2 || !str_to_u64(end[0], CPUS_MAX, &a))
			return false;
		b = a;
		if (ends == 2 && (!str_to_u64(end[1], CPUS_MAX, &b) || b < a))
			return false;
		ret->count += b - a + 1;
		ret->last = b > ret->last ? b : ret->last;
	}
	return n >= 1 && n <= CPU_PARTS_MAX && str_copy(ret->set, sizeof(ret->set), text);
}

int limits_parse_cpus(const char *text, void *ret, struct err *err)
{
	struct limits_cpus c = { 0 };
	bool ok = strpbrk(text, ",-") ? parse_set(text, &c)
				      : str_to_u64(text, CPUS_MAX, &c.count) && c.count > 0;

	if (!ok)
		return err_set(err, ERR_INVALID,
			       "must be a number of CPUs from 1, or a set such as 0-2,5");
	if (ret)
		*(struct limits_cpus *)ret = c;
	return 0;
}

struct limits_request limits_requested(const json_t *config)
{
	struct limits_request r = { 0 };

	keys_get(&instance_keys, config, "limits.cpu", &r.cpus);
	keys_get(&instance_keys, config, "limits.memory", &r.memory);
	return r;
}

/* --- on this host ---------------------------------------------------------------------------- */

static int64_t host_bytes(const struct limits_memory *m)
{
	int64_t total = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	return m->percent ? total / 100 * (int64_t)m->percent : (int64_t)m->bytes;
}

/* Where a count of CPUs begins: containers should not all sit on the first ones. */
static unsigned first_cpu(const char *seed, unsigned cpus)
{
	unsigned h = 5381;

	while (*seed)
		h = h * 33 + (unsigned char)*seed++;
	return h % cpus;
}

static void cpuset_of_count(uint64_t count, const char *seed, struct cgroup_limits *l)
{
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), first = first_cpu(seed, cpus);
	struct sbuf b = SBUF(sizeof(l->cpuset) - 1);

	/* As many as there are is no limit. */
	for (uint64_t i = 0; count < cpus && i < count; i++)
		sbuf_printf(&b, "%s%u", i ? "," : "", (unsigned)((first + i) % cpus));
	str_copy(l->cpuset, sizeof(l->cpuset), b.overflow || !b.data ? "" : b.data);
	sbuf_free(&b);
}

static int set_cpus(const struct limits_cpus *c, const char *seed, struct cgroup_limits *l,
		    struct err *err)
{
	long present = sysconf(_SC_NPROCESSORS_CONF);

	if (!*c->set) {
		cpuset_of_count(c->count, seed, l);
		return 0;
	}
	if (present > 0 && c->last >= (uint64_t)present)
		return err_set(err, ERR_INVALID,
			       "limits.cpu: \"%s\" names CPUs that this host does not have (it has "
			       "0-%ld)",
			       c->set, present - 1);
	str_copy(l->cpuset, sizeof(l->cpuset), c->set);
	return 0;
}

int limits_read(const json_t *config, struct cgroup_limits *ret, struct err *err)
{
	const char *uuid = keys_text(&instance_keys, config, "volatile.uuid");
	struct limits_memory memory = { 0 };
	struct limits_cpus cpus = { 0 };
	struct cgroup_limits l = { 0 };

	if (keys_read(&instance_keys, config, "limits.memory", &memory, err) < 0 ||
	    keys_read(&instance_keys, config, "limits.cpu", &cpus, err) < 0 ||
	    keys_read(&instance_keys, config, "limits.processes", &l.processes, err) < 0)
		return -1;
	l.memory = host_bytes(&memory);
	if (cpus.count && set_cpus(&cpus, uuid ? uuid : "", &l, err) < 0)
		return -1;
	*ret = l;
	return 0;
}
