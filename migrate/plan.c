/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/plan.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/host/apparmor.h"

#define STILL_MAX_S 30

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

void move_plan_add(struct move_plan *p, enum move_kind allows, const char *fmt, ...)
{
	struct move_reason r = { .allows = allows };
	va_list ap;

	assert(allows > MOVE_LIVE);
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < p->kept; i++) {
		if (p->reasons[i].allows == allows && str_eq(p->reasons[i].text, r.text))
			return;
	}
	if (allows > p->kind)
		p->kind = allows;
	p->n[allows]++;
	if (p->kept < MOVE_REASONS_MAX)
		p->reasons[p->kept++] = r;
}

void move_plan_stopped(bool kept, struct move_plan *p)
{
	if (kept)
		move_plan_add(p, MOVE_REFUSED,
			      "its memory is kept on its member since a stateful stop: start it, "
			      "and move it then");
	if (p->kind == MOVE_REFUSED)
		return;
	*p = (struct move_plan){ 0 };
	move_plan_add(p, MOVE_COLD, "the instance is stopped");
}

size_t move_plan_count(const struct move_plan *p, enum move_kind kind)
{
	size_t n = 0;

	for (int allows = (int)kind + 1; allows <= MOVE_REFUSED; allows++)
		n += p->n[allows];
	return n;
}

const char *move_plan_text(const struct move_plan *p, enum move_kind kind, char *buf, size_t size)
{
	size_t len = 0, told = 0, n = move_plan_count(p, kind);

	buf[0] = '\0';
	/* A first reason that is too long is cut, others wait for a list that has room. */
	for (size_t i = 0; i < p->kept; i++) {
		const char *text = p->reasons[i].text;

		if (p->reasons[i].allows <= kind)
			continue;
		if (told && len + strlen(text) + strlen("; ; and 1000000 more") >= size)
			break;
		snprintf(buf + len, size - len, "%s%s", told++ ? "; " : "", text);
		len = strlen(buf);
	}
	if (told < n)
		snprintf(buf + len, size - len, "; and %zu more", n - told);
	return buf;
}

/* {reasons[...], more} */
static json_t *against(const struct move_plan *p, enum move_kind kind)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->kept; i++) {
		if (p->reasons[i].allows > kind)
			json_array_append_new(list, json_string(p->reasons[i].text));
	}
	return json_pack("{so,sI}", "reasons", list, "more",
			 (json_int_t)(move_plan_count(p, kind) - json_array_size(list)));
}

json_t *move_plan_json(const struct move_plan *p)
{
	char text[MOVE_REASONS_MAX * sizeof(p->reasons[0].text)];
	json_t *told = against(p, MOVE_LIVE), *modes = json_object();

	for (int kind = MOVE_LIVE; kind < MOVE_REFUSED; kind++) {
		json_t *mode = against(p, (enum move_kind)kind);

		json_put_bool(mode, "possible", (int)p->kind <= kind);
		json_object_set_new(modes, move_kind_name((enum move_kind)kind), mode);
	}
	json_put_str(told, "kind", move_kind_name(p->kind));
	json_put_str(told, "reason", move_plan_text(p, MOVE_LIVE, text, sizeof(text)));
	json_object_set_new(told, "modes", modes);
	json_put_str(told, "note", p->note);
	json_put_str(told, "memory", *p->way_why ? way_name(p->way) : "");
	json_put_str(told, "memory_reason", p->way_why);
	return told;
}

/* --- the choice ---------------------------------------------------------------------------- */

static bool is_single(unsigned modes)
{
	return (modes & (modes - 1)) == 0;
}

enum move_kind move_choose(const struct move_plan *p, unsigned modes, bool runs, char *ret_why,
			   size_t size)
{
	/* It has no memory, and nothing to be stopped: it goes as it may, whatever was asked. */
	unsigned allowed = runs ? modes : MOVE_BEST;
	int best = MOVE_LIVE, kind;

	assert(modes & MOVE_BEST);
	while (!(allowed & 1u << best))
		best++;
	for (kind = best; kind < MOVE_REFUSED; kind++) {
		if ((allowed & 1u << kind) && (int)p->kind <= kind)
			break;
	}
	if (kind > best)
		move_plan_text(p, (enum move_kind)best, ret_why, size);
	else
		snprintf(ret_why, size, "%s",
			 is_single(modes) ? "as asked for" : "nothing stands against it");
	return (enum move_kind)kind;
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
		move_plan_add(ret, MOVE_NEAR_LIVE, "%s: %s", name_of(f), why);
	else if (!*v)
		move_plan_add(ret, MOVE_NEAR_LIVE, "CRIU is not installed on %s", name_of(f));
	else if (plan_version_cmp(v, need) < 0)
		move_plan_add(ret, MOVE_NEAR_LIVE,
			      "CRIU %s on %s is too old for its kernel %s, which needs %s", v,
			      name_of(f), kernel, need);
}

void plan_source(const json_t *source, struct move_plan *ret)
{
	criu_fits(source, ret);
}

static void criu_is_as_new(const json_t *s, const json_t *t, struct move_plan *ret)
{
	const char *a = json_str(s, "criu_version", ""), *b = json_str(t, "criu_version", "");

	if (*a && *b && plan_version_cmp(b, a) < 0)
		move_plan_add(ret, MOVE_NEAR_LIVE, "CRIU on %s (%s) is older than on %s (%s)",
			      name_of(t), b, name_of(s), a);
}

static void cpu_fits(const json_t *s, const json_t *t, struct move_plan *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpu_flags); i++) {
		if (has(json_arr(s, "cpu_flags"), cpu_flags[i]) &&
		    !has(json_arr(t, "cpu_flags"), cpu_flags[i]))
			move_plan_add(
				ret, MOVE_NEAR_LIVE,
				"the processors of %s lack \"%s\", which programs started on %s "
				"may use",
				name_of(t), cpu_flags[i], name_of(s));
	}
}

/* Those that give a process a label of their own; "capability,landlock,apparmor" of the kernel has
 * more, by its version. */
static const char *const labelling[] = { "apparmor", "selinux", "smack" };

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		if (str_starts(p, word) && (p[len] == ',' || p[len] == '\0' || p[len] == '\n'))
			return true;
	}
	return false;
}

static void modules_fit(const json_t *s, const json_t *t, struct move_plan *ret)
{
	const char *a = json_str(s, "lsm", ""), *b = json_str(t, "lsm", "");

	for (size_t i = 0; i < ARRAY_SIZE(labelling); i++) {
		bool here = has_word(a, labelling[i]);

		if (here != has_word(b, labelling[i]))
			move_plan_add(ret, MOVE_NEAR_LIVE,
				      "security modules differ: %s has %s, %s has not",
				      name_of(here ? s : t), labelling[i], name_of(here ? t : s));
	}
}

void plan_confinement(const char *label, const json_t *source, const json_t *target,
		      struct move_plan *ret)
{
	const json_t *there = json_obj(target, "confinement");

	/* Without AppArmor there, the security modules differ, and that is told. */
	if (!label || !has_word(json_str(target, "lsm", ""), "apparmor"))
		return;
	if (!has(json_arr(there, "profiles"), label))
		move_plan_add(ret, MOVE_NEAR_LIVE,
			      "%s has not loaded AppArmor profile \"%s\", which confines it here",
			      name_of(target), label);
	else if (str_eq(label, APPARMOR_PROFILE) &&
		 !str_eq(json_str(json_obj(source, "confinement"), "version", ""),
			 json_str(there, "version", "")))
		move_plan_add(ret, MOVE_NEAR_LIVE,
			      "AppArmor profile \"%s\" is another version on %s than on %s", label,
			      name_of(target), name_of(source));
}

static void kernel_fits(const json_t *s, const json_t *t, struct move_plan *ret)
{
	const char *a = json_str(s, "kernel_version", ""), *b = json_str(t, "kernel_version", "");

	if (json_int(s, "page_size", 4096) != json_int(t, "page_size", 4096))
		move_plan_add(ret, MOVE_NEAR_LIVE, "%s and %s have memory pages of different sizes",
			      name_of(s), name_of(t));
	if (json_bool(s, "cgroup2", false) != json_bool(t, "cgroup2", false))
		move_plan_add(ret, MOVE_NEAR_LIVE, "%s and %s mount their cgroups differently",
			      name_of(s), name_of(t));
	if (plan_version_cmp(b, a) < 0)
		move_plan_add(ret, MOVE_NEAR_LIVE,
			      "the kernel of %s (%s) is older than that of %s (%s) and may lack "
			      "what processes use",
			      name_of(t), b, name_of(s), a);
}

void plan_compare(const json_t *source, const json_t *target, const char *driver,
		  struct move_plan *ret)
{
	*ret = (struct move_plan){ .kind = MOVE_LIVE };
	can_be_there(source, target, driver, ret);
	plan_source(source, ret);
	criu_fits(target, ret);
	criu_is_as_new(source, target, ret);
	kernel_fits(source, target, ret);
	cpu_fits(source, target, ret);
	modules_fit(source, target, ret);
}

void plan_memory(const struct way_facts *f, struct move_plan *ret)
{
	int64_t still_s = f->speed ? way_still_ms(ret->way, f) / 1000 : 0;
	char size[16];

	str_of_size((uint64_t)f->memory, size);
	if (still_s > STILL_MAX_S)
		move_plan_add(ret, MOVE_NEAR_LIVE,
			      "it would stand still for %lld s, more than %d, while its memory of "
			      "%s is sent at the cluster's move.bandwidth",
			      (long long)still_s, STILL_MAX_S, size);
}
