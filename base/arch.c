/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arch.h"

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"

static const struct arch {
	const char *name, *alias, *alias2, *also_runs;
} archs[] = {
#define ARCH(name, alias, alias2, also_runs) { name, alias, alias2, also_runs },
#include "base/arch.def"
#undef ARCH
};

static const struct arch *find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(archs); i++) {
		const struct arch *a = &archs[i];

		if (str_eq(a->name, name) || str_eq(a->alias, name) || str_eq(a->alias2, name))
			return a;
	}
	return NULL;
}

const char *arch_canonical(const char *name)
{
	const struct arch *a = find(name);

	return a ? a->name : NULL;
}

bool arch_runs(const char *host, const char *wanted)
{
	const struct arch *a = find(host);

	while (a && !str_eq(a->name, wanted))
		a = find(a->also_runs);
	return a;
}

const char *arch_list(char *buf, size_t size)
{
	_sbuf_ struct sbuf b = SBUF(size);

	for (size_t i = 0; i < ARRAY_SIZE(archs); i++)
		sbuf_printf(&b, "%s%s", i ? ", " : "", archs[i].name);
	str_copy(buf, size, b.data);
	return buf;
}
