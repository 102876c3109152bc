/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/ref.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

struct ref ref_of(const char *text)
{
	const char *end = strchr(text, REF_SEPARATOR);
	struct ref ref = { PROJECT_DEFAULT, text };

	if (!end || (size_t)(end - text) >= sizeof(ref.project))
		return ref;
	memcpy(ref.project, text, end - text);
	ref.project[end - text] = '\0';
	ref.name = end + 1;
	return ref;
}

char *ref_text(const char *project, const char *name)
{
	assert(project);
	assert(*project);
	if (str_eq(project, PROJECT_DEFAULT) && !strchr(name, REF_SEPARATOR))
		return xstrdup(name);
	return xasprintf("%s%c%s", project, REF_SEPARATOR, name);
}

char *ref_key(enum entity e, const char *project, const char *name)
{
	return entity_scope(e) == SCOPE_PROJECT ? ref_text(project, name) : xstrdup(name);
}

char *ref_beside(const char *text, enum entity e, const char *name)
{
	struct ref ref = ref_of(text);

	return ref_key(e, ref.project, name);
}

bool ref_is_in(const char *text, const char *project)
{
	struct ref ref = ref_of(text);

	return !project || str_eq(ref.project, project);
}

bool ref_means(const char *text, enum entity e, const char *name, const char *key)
{
	_free_ char *meant = ref_beside(text, e, name);

	return str_eq(meant, key);
}

const char *ref_ifname(const char *text, char ret[REF_IFNAME_SIZE])
{
	char hex[SHA256_HEX_SIZE];

	if (ref_is_in(text, PROJECT_DEFAULT))
		str_copy(ret, REF_IFNAME_SIZE, ref_of(text).name);
	else
		snprintf(ret, REF_IFNAME_SIZE, "dn%.10s", sha256_hex(text, strlen(text), hex));
	return ret;
}

char *ref_lock(enum entity e, const char *key)
{
	return xasprintf("%s/%s", entity_name(e), key);
}

char *ref_add_project(const char *url, const char *text)
{
	struct ref ref = ref_of(text);
	_free_ char *project = str_url_encode(ref.project);

	if (str_eq(ref.project, PROJECT_DEFAULT))
		return xstrdup(url);
	return xasprintf("%s?project=%s", url, project);
}

char *ref_url(const char *path, const char *text)
{
	_free_ char *name = str_url_encode(ref_of(text).name);
	_free_ char *url = xasprintf("/1.0/%s/%s", path, name);

	return ref_add_project(url, text);
}

void ref_project_of_url(const char *url, char ret_project[PROJECT_SIZE])
{
	const char *query = strstr(url, "?project=");

	str_copy(ret_project, PROJECT_SIZE, PROJECT_DEFAULT);
	if (!query)
		return;
	str_copy(ret_project, PROJECT_SIZE, query + strlen("?project="));
	str_url_decode(ret_project, false);
}

bool name_is_free(const char *name, size_t max)
{
	return str_is_name(name, max) && !strchr(name, REF_SEPARATOR);
}
