/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/apparmor.h"

#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"

#ifndef APPARMOR_DIR
#define APPARMOR_DIR "/etc/apparmor.d"
#endif
#define SOURCE_MAX (64 << 10)
#define LIST_MAX (1 << 20)
#define PROFILES_MAX 1024
#define VERSION_CHARS 12

static const char *const profiles[] = {
	[false] = APPARMOR_PROFILE,
	[true] = "lxc-container-default-cgns", /* liblxc's packages load it */
};

static char *sys_text(const char *sys, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", sys, file);
	struct err ignored;

	return io_read_file(path, LIST_MAX, NULL, &ignored);
}

bool apparmor_enabled(const char *sys)
{
	_free_ char *text = sys_text(sys, "module/apparmor/parameters/enabled");

	return text && *text == 'Y';
}

/* "NAME (mode)"; a name may have spaces. */
static size_t name_len(const char *line)
{
	size_t len = strcspn(line, "\n");

	for (size_t i = len; i > 1; i--) {
		if (line[i - 1] == '(' && line[i - 2] == ' ')
			return i - 2;
	}
	return len;
}

static json_t *loaded(const char *sys)
{
	_free_ char *text = sys_text(sys, "kernel/security/apparmor/profiles");
	json_t *list = json_array();

	for (const char *p = text; p && *p && json_array_size(list) < PROFILES_MAX;) {
		json_array_append_new(list, json_stringn(p, name_len(p)));
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return list;
}

bool apparmor_has(const char *sys, const char *profile)
{
	_json_ json_t *list = loaded(sys);
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		if (str_eq(json_string_value(v), profile))
			return true;
	}
	return false;
}

const char *apparmor_profile(const char *sys, bool privileged, const char **ret_wanted)
{
	if (!apparmor_enabled(sys))
		return NULL;
	*ret_wanted = profiles[privileged];
	return apparmor_has(sys, *ret_wanted) ? *ret_wanted : APPARMOR_UNCONFINED;
}

/* --- our own ------------------------------------------------------------------------------ */

static const char *const parsers[] = { "/usr/sbin/apparmor_parser", "/sbin/apparmor_parser",
				       "/usr/local/sbin/apparmor_parser" };

static const char *find_parser(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(parsers); i++) {
		if (access(parsers[i], X_OK) == 0)
			return parsers[i];
	}
	return NULL;
}

int apparmor_load(int64_t deadline, struct err *err)
{
	const char *argv[] = { find_parser(), "--replace", "--", APPARMOR_DIR "/" APPARMOR_PROFILE,
			       NULL };

	if (!argv[0])
		return err_set(err, ERR_UNAVAILABLE,
			       "apparmor_parser is not installed (package apparmor)");
	return proc_run(argv, NULL, deadline, err);
}

json_t *apparmor_facts(const char *sys)
{
	struct err ignored;
	size_t len = 0;
	_free_ char *text = NULL;
	char hex[SHA256_HEX_SIZE] = "";

	if (!apparmor_enabled(sys))
		return json_object();
	text = io_read_file(APPARMOR_DIR "/" APPARMOR_PROFILE, SOURCE_MAX, &len, &ignored);
	if (text)
		sha256_hex(text, len, hex);
	hex[VERSION_CHARS] = '\0';
	return json_pack("{so,ss}", "profiles", loaded(sys), "version", hex);
}

char *apparmor_label(const char *proc, pid_t pid)
{
	_free_ char *path = xasprintf("%s/%d/attr/current", proc, (int)pid);
	struct err ignored;
	char *label = io_read_file(path, LIST_MAX, NULL, &ignored);

	if (label)
		label[name_len(label)] = '\0';
	if (label && *label && !str_eq(label, APPARMOR_UNCONFINED))
		return label;
	free(label);
	return NULL;
}
