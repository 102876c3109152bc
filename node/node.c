/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node_int.h"

#include <dirent.h>
#include <stdarg.h>

#include "base/mem.h"

const char *node_dir(const struct node *n)
{
	return n->dir;
}

char *node_path(const struct node *n, const char *fmt, ...)
{
	_free_ char *rest = NULL;
	va_list ap;

	va_start(ap, fmt);
	rest = xvasprintf(fmt, ap);
	va_end(ap);
	return xasprintf("%s/%s", n->dir, rest);
}

json_t *node_names(const char *path)
{
	json_t *list = json_array();
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			json_array_append_new(list, json_string(e->d_name));
	}
	if (d)
		closedir(d);
	return list;
}
