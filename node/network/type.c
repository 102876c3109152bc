/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/type.h"

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"

const struct network_ops *const network_types[] = {
#define KEY(...)
#define REFUSED(...)
#define NETWORK(type, doc) &network_##type,
#include "node/network/type.def"
#undef NETWORK
#undef REFUSED
#undef KEY
	NULL,
};

static const struct network_ops *find(const json_t *net)
{
	const char *type = json_str(net, "type", "");

	for (size_t i = 0; network_types[i]; i++) {
		if (!*type || str_eq(network_types[i]->type, type))
			return network_types[i];
	}
	return NULL;
}

const struct network_ops *network_type_of(const json_t *net, struct err *err)
{
	const struct network_ops *ops = find(net);
	_sbuf_ struct sbuf types = SBUF(1024);

	if (ops)
		return ops;
	for (size_t i = 0; network_types[i]; i++)
		sbuf_printf(&types, "%s%s", i ? ", " : "", network_types[i]->type);
	err_set(err, ERR_INVALID, "unknown type \"%.20s\" (%s)", json_str(net, "type", ""),
		types.data);
	return NULL;
}

bool network_spans(const json_t *net)
{
	const struct network_ops *ops = find(net);

	return ops && ops->spans;
}
