/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Instructions that programs choose once, when they start: the target must have all of the
 * source's. */
static const char *const cpu_flags[] = {
	"fpu",  "cx8",    "cmov",    "mmx",      "fxsr",       "sse",      "sse2",        "ssse3",
	"fma",  "cx16",   "sse4_1",  "sse4_2",   "movbe",      "popcnt",   "aes",         "xsave",
	"avx",  "f16c",   "rdrand",  "lahf_lm",  "abm",        "avx2",     "bmi1",        "bmi2",
	"adx",  "sha_ni", "avx512f", "avx512bw", "avx512dq",   "avx512vl", "avx512_vnni", "vaes",
	"gfni", "erms",   "rdpid",   "fsgsbase", "vpclmulqdq", "avx_vnni", "amx_tile",    "pku",
};

static unsigned next_number(const char **p)
{
	unsigned v = 0;

	while (**p >= '0' && **p <= '9' && v < 100000)
		v = v * 10 + (unsigned)(*(*p)++ - '0');
	if (**p == '.')
		(*p)++;
	return v;
}

int plan_version_cmp(const char *a, const char *b)
{
	for (int i = 0; i < 3; i++) {
		unsigned x = next_number(&a), y = next_number(&b);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

static bool has(const json_t *list, const char *word)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)list, i, v) {
		if (str_eq(json_string_value(v), word) || str_eq(json_str(v, "Name", NULL), word))
			return true;
	}
	return false;
}

/* --- reasons ------------------------------------------------------------------------------ */

void move_plan_add(struct move_plan *p, enum move_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (kind > p->kind)
		p->kind = kind;
	if (p->n < MOVE_REASONS_MAX) {
		va_start(ap, fmt);
		vsnprintf(p->reasons[p->n], sizeof(p->reasons[0]), fmt, ap);
		va_end(ap);
	}
	p->n++;
}

static size_t kept(const struct move_plan *p)
{
	return p->n < MOVE_REASONS_MAX ? p->n : MOVE_REASONS_MAX;
}

const char *move_plan_text(const struct move_plan *p, char *buf, size_t size)
{
	size_t len = 0, i = 0;

	buf[0] = '\0';
	/* A first reason that is too long is cut, others wait for a list that has room. */
	for (; i < kept(p); i++) {
		size_t need = strlen(p->reasons[i]) + strlen("; ; and 1000000 more");

		if (i > 0 && len + need >= size)
			break;
		snprintf(buf + len, size - len, "%s%s", i ? "; " : "", p->reasons[i]);
		len = strlen(buf);
	}
	if (i < p->n)
		snprintf(buf + len, size - len, "; and %zu more", p->n - i);
	return buf;
}

json_t *move_plan_json(const struct move_plan *p)
{
	static const char *const kinds[] = {
		[MOVE_LIVE] = "live", [MOVE_COLD] = "cold", [MOVE_REFUSED] = "refused"
	};
	char text[MOVE_REASONS_MAX * sizeof(p->reasons[0])];
	json_t *list = json_array();

	for (size_t i = 0; i < kept(p); i++)
		json_array_append_new(list, json_string(p->reasons[i]));
	return json_pack("{ss,ss,so,sI}", "kind", kinds[p->kind], "reason",
			 move_plan_text(p, text, sizeof(text)), "reasons", list, "more",
			 (json_int_t)(p->n - kept(p)));
}

/* --- two members -------------------------------------------------------------------------- */

static const char *name_of(const json_t *facts)
{
	return json_str(facts, "member", "?");
}

/* What even a stopped container needs there. */
static void can_be_there(const json_t *s, const json_t *t, const char *driver,
			 struct move_plan *ret)
{
	const char *sa = json_str(s, "kernel_architecture", ""),
		   *ta = json_str(t, "kernel_architecture", ""),
		   *closed = json_str(t, "closed", "");

	if (*closed)
		move_plan_add(ret, MOVE_REFUSED, "%s", closed);
	if (!str_eq(sa, ta))
		move_plan_add(ret, MOVE_REFUSED, "%s is a %s host, %s is %s", name_of(t), ta,
			      name_of(s), sa);
	if (!has(json_arr(t, "storage_drivers"), driver))
		move_plan_add(ret, MOVE_REFUSED, "%s has no storage driver \"%s\"", name_of(t),
			      driver);
	if (!json_bool(t, "idmapped_mounts", true))
		move_plan_add(ret, MOVE_REFUSED, "the kernel of %s (%s) has no idmapped mounts",
			      name_of(t), json_str(t, "kernel_version", "?"));
}

/* Linux 6.16 refuses socket options that CRIU before 4.2 reads. */
static void criu_fits(const json_t *f, struct move_plan *ret)
{
	const char *v = json_str(f, "criu_version", ""), *why = json_str(f, "no_live", "");
	const char *kernel = json_str(f, "kernel_version", "");
	const char *need = plan_version_cmp(kernel, "6.16") >= 0 ? "4.2" : "4.1";

	if (*why)
		move_plan_add(ret, MOVE_COLD, "%s: %s", name_of(f), why);
	else if (!*v)
		move_plan_add(ret, MOVE_COLD, "CRIU is not installed on %s", name_of(f));
	else if (plan_version_cmp(v, need) < 0)
		move_plan_add(ret, MOVE_COLD,
			      "CRIU %s on %s is too old for its kernel %s, which needs %s", v,
			      name_of(f), kernel, need);
}

static void criu_is_as_new(const json_t *s, const json_t *t, struct move_plan *ret)
{
	const char *a = json_str(s, "criu_version", ""), *b = json_str(t, "criu_version", "");

	if (*a && *b && plan_version_cmp(b, a) < 0)
		move_plan_add(ret, MOVE_COLD, "CRIU on %s (%s) is older than on %s (%s)",
			      name_of(t), b, name_of(s), a);
}

static void cpu_fits(const json_t *s, const json_t *t, struct move_plan *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpu_flags); i++) {
		if (has(json_arr(s, "cpu_flags"), cpu_flags[i]) &&
		    !has(json_arr(t, "cpu_flags"), cpu_flags[i]))
			move_plan_add(
				ret, MOVE_COLD,
				"the processors of %s lack \"%s\", which programs started on %s "
				"may use",
				name_of(t), cpu_flags[i], name_of(s));
	}
}

static const struct {
	const char *key, *what;
} same_words[] = {
	{ "lsm", "security modules" },
};

static void words_fit(const json_t *s, const json_t *t, struct move_plan *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(same_words); i++) {
		const char *a = json_str(s, same_words[i].key, ""),
			   *b = json_str(t, same_words[i].key, "");

		if (!str_eq(a, b))
			move_plan_add(ret, MOVE_COLD, "%s differ: \"%s\" on %s, \"%s\" on %s",
				      same_words[i].what, a, name_of(s), b, name_of(t));
	}
}

static void kernel_fits(const json_t *s, const json_t *t, struct move_plan *ret)
{
	const char *a = json_str(s, "kernel_version", ""), *b = json_str(t, "kernel_version", "");

	if (json_int(s, "page_size", 4096) != json_int(t, "page_size", 4096))
		move_plan_add(ret, MOVE_COLD, "%s and %s have memory pages of different sizes",
			      name_of(s), name_of(t));
	if (json_bool(s, "cgroup2", false) != json_bool(t, "cgroup2", false))
		move_plan_add(ret, MOVE_COLD, "%s and %s mount their cgroups differently",
			      name_of(s), name_of(t));
	if (plan_version_cmp(b, a) < 0)
		move_plan_add(ret, MOVE_COLD,
			      "the kernel of %s (%s) is older than that of %s (%s) and may lack "
			      "what processes use",
			      name_of(t), b, name_of(s), a);
}

void plan_compare(const json_t *source, const json_t *target, const char *driver,
		  struct move_plan *ret)
{
	*ret = (struct move_plan){ .kind = MOVE_LIVE };
	can_be_there(source, target, driver, ret);
	criu_fits(source, ret);
	criu_fits(target, ret);
	criu_is_as_new(source, target, ret);
	kernel_fits(source, target, ret);
	cpu_fits(source, target, ret);
	words_fit(source, target, ret);
}
