/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/serverinfo.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "api/rest/localconf.h"
#include "api/work/state.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"
#include "node/host/lxc_query.h"
#include "node/storage/storage.h"

#define TEXT_MAX (1 << 20)
#define RECHECK_MS 5000

static const char *const extensions[] = {
#define EXTENSION(name) name,
#include "api/server/extensions.def"
#undef EXTENSION
};

struct serverinfo {
	json_t *environment; /* what never changes while the daemon runs */
	pthread_mutex_t lock;
	uint64_t changes;
	int64_t built_ms;
	char *text, *reduced; /* without the closing brace */
	size_t text_len, reduced_len;
	char etag[SHA256_HEX_SIZE];
};

/* --- what never changes ---------------------------------------------------------------------- */

static json_t *map_of(const char *const *pairs)
{
	json_t *j = json_object();

	for (; pairs[0]; pairs += 2)
		json_put_str(j, pairs[0], pairs[1]);
	return j;
}

/* One value of os-release, without its quotes; the caller frees. */
static char *os_value(const char *text, const char *key)
{
	size_t n = strlen(key);
	const char *line = text;

	while (line && strncmp(line, key, n) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return xstrdup("");
	line += n;
	if (*line == '"')
		line++;
	return xstrndup(line, strcspn(line, "\"\n"));
}

static void add_os(json_t *env)
{
	struct err err;
	size_t len;
	_free_ char *text = io_read_file("/etc/os-release", 64 << 10, &len, &err);
	_free_ char *name = os_value(text, "NAME="), *version = os_value(text, "VERSION_ID=");

	json_put_str(env, "os_name", name);
	json_put_str(env, "os_version", version);
}

static void add_features(json_t *env)
{
	static const char *const kernel[] = { "idmapped_mounts",
					      "true",
					      "netnsid_getifaddrs",
					      "true",
					      "seccomp_listener",
					      "true",
					      "shiftfs",
					      "false",
					      "uevent_injection",
					      "true",
					      "unpriv_fscaps",
					      "true",
					      NULL };
	static const char *const lxc[] = {
		"cgroup2", "true",  "devpts_fd", "true",           "idmapped_mounts_v2",
		"true",    "pidfd", "true",      "seccomp_notify", "true",
		NULL
	};

	json_object_set_new(env, "kernel_features", map_of(kernel));
	json_object_set_new(env, "lxc_features", map_of(lxc));
}

static json_t *fixed_environment(void)
{
	json_t *env = json_object();
	struct utsname u;

	uname(&u);
	json_object_set_new(env, "architectures", json_pack("[s]", u.machine));
	json_put_str(env, "driver", "lxc");
	json_put_str(env, "driver_version", lxc_query_version());
	json_object_set_new(env, "instance_types", json_pack("[s]", "container"));
	json_put_str(env, "firewall", "nftables");
	json_put_str(env, "kernel", "Linux");
	json_put_str(env, "kernel_architecture", u.machine);
	json_put_str(env, "kernel_version", u.release);
	add_features(env);
	add_os(env);
	json_put_str(env, "project", PROJECT_DEFAULT);
	json_put_str(env, "server", "dunlin");
	json_put_str(env, "server_event_mode", "full-mesh");
	json_put_int(env, "server_pid", getpid());
	json_put_str(env, "server_version", DUNLIN_VERSION);
	json_put_bool(env, "server_lts", false);
	json_put_str(env, "storage_version", "1");
	json_object_set(env, "storage_supported_drivers", (json_t *)storage_drivers());
	return env;
}

struct serverinfo *serverinfo_new(void)
{
	struct serverinfo *s = xnew(struct serverinfo);

	s->environment = fixed_environment();
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void serverinfo_free(struct serverinfo *s)
{
	if (!s)
		return;
	json_decref(s->environment);
	pthread_mutex_destroy(&s->lock);
	free(s->text);
	free(s->reduced);
	free(s);
}

/* --- what changes ---------------------------------------------------------------------------- */

static bool add_interface_address(json_t *list, const struct ifaddrs *i, const char *port)
{
	char text[INET6_ADDRSTRLEN];

	if (!i->ifa_addr || (i->ifa_flags & IFF_LOOPBACK) || !(i->ifa_flags & IFF_UP))
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr;

		inet_ntop(AF_INET, &a->sin_addr, text, sizeof(text));
		json_array_append_new(list, json_sprintf("%s%s", text, port));
		return true;
	}
	if (i->ifa_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)i->ifa_addr;

		if (IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr))
			return false;
		inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof(text));
		json_array_append_new(list, json_sprintf("[%s]%s", text, port));
		return true;
	}
	return false;
}

json_t *server_addresses(const struct api_env *env)
{
	_free_ char *conf = localconf_get(env->state->conf, "core.https_address");
	const char *address = *conf ? conf : cluster_address(env->cluster);
	const char *port = strrchr(address, ':');
	json_t *list = json_array();
	struct ifaddrs *all = NULL;

	if (str_empty(address))
		return list;
	if (!address_text_is_any(address)) {
		json_array_append_new(list, json_string(address));
		return list;
	}
	if (getifaddrs(&all) == 0) {
		for (struct ifaddrs *i = all; i; i = i->ifa_next)
			add_interface_address(list, i, port);
		freeifaddrs(all);
	}
	return list;
}

json_t *server_config(const struct api_env *env)
{
	_free_ char *address = localconf_get(env->state->conf, "core.https_address");
	_rows_ struct rows rows = { 0 };
	json_t *config = json_object();
	struct err err;

	if (store_list(env->store, ENT_CONFIG, NULL, &rows, &err) == 0) {
		for (size_t i = 0; i < rows.n; i++)
			json_put_str(config, rows.v[i].key, json_str(rows.v[i].doc, "value", ""));
	}
	if (*address)
		json_put_str(config, "core.https_address", address);
	if (cluster_enabled(env->cluster))
		json_put_str(config, "cluster.https_address", cluster_address(env->cluster));
	return config;
}

static void add_storage(const struct api_env *env, json_t *e)
{
	_rows_ struct rows pools = { 0 };
	_sbuf_ struct sbuf names = SBUF(1024);
	struct err err;

	if (store_list(env->store, ENT_POOL, NULL, &pools, &err) < 0)
		return;
	for (size_t i = 0; i < pools.n; i++) {
		const char *driver = json_str(pools.v[i].doc, "driver", "");

		if (!names.data || !strstr(names.data, driver))
			sbuf_printf(&names, "%s%s", names.len ? " | " : "", driver);
	}
	json_put_str(e, "storage", names.data ? names.data : "");
}

static json_t *full_object(const struct api_env *env, json_t *config, json_t *exts)
{
	json_t *e = json_copy(env->state->info->environment);

	json_object_set_new(e, "addresses", server_addresses(env));
	json_put_str(e, "certificate", cluster_cert_pem(env->cluster));
	json_put_str(e, "certificate_fingerprint", cluster_fingerprint(env->cluster));
	json_put_bool(e, "server_clustered", cluster_enabled(env->cluster));
	json_put_str(e, "server_name", cluster_member_name(env->cluster));
	json_put_bool(e, "dunlin_island", cluster_is_island(env->cluster));
	json_put_int(e, "dunlin_island_s", cluster_island_ms(env->cluster) / 1000);
	json_put_bool(e, "dunlin_removed", cluster_is_removed(env->cluster));
	add_storage(env, e);
	return json_pack("{s:O, s:O, s:s, s:s, s:s, s:b, s:[s], s:o}", "config", config,
			 "api_extensions", exts, "api_status", "stable", "api_version", "1.0",
			 "auth", "trusted", "public", 0, "auth_methods", "tls", "environment", e);
}

static char *open_text(const json_t *j, size_t *ret_len)
{
	char *text = json_text(j);

	*ret_len = strlen(text) - 1;
	text[*ret_len] = '\0';
	return text;
}

/* The caller holds the lock. */
static void rebuild(const struct api_env *env, struct serverinfo *s)
{
	_json_ json_t *config = server_config(env), *exts = json_array(), *full = NULL;
	_json_ json_t *reduced = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		json_array_append_new(exts, json_string(extensions[i]));
	full = full_object(env, config, exts);
	reduced = json_pack("{s:O, s:s, s:s, s:s, s:b, s:[s]}", "api_extensions", exts,
			    "api_status", "stable", "api_version", "1.0", "auth", "untrusted",
			    "public", 0, "auth_methods", "tls");
	free(s->text);
	free(s->reduced);
	s->text = open_text(full, &s->text_len);
	s->reduced = open_text(reduced, &s->reduced_len);
	etag_of(config, s->etag);
	s->built_ms = clock_ms();
}

static void add_caller(struct sbuf *out, const struct caller *c)
{
	bool unix_socket = c->kind == CALLER_ADMIN;

	sbuf_puts(out, ",\"auth_user_name\":");
	sbuf_json_string(out, unix_socket ? c->name : c->fingerprint);
	sbuf_printf(out, ",\"auth_user_method\":\"%s\"}", unix_socket ? "unix" : "tls");
}

void serverinfo_write(const struct api_env *env, const struct caller *c, struct sbuf *out,
		      char etag[SHA256_HEX_SIZE])
{
	struct serverinfo *s = env->state->info;
	uint64_t changes = store_change_count(env->store);

	pthread_mutex_lock(&s->lock);
	if (!s->text || s->changes != changes || clock_ms() - s->built_ms > RECHECK_MS) {
		s->changes = changes;
		rebuild(env, s);
	}
	str_copy(etag, SHA256_HEX_SIZE, s->etag);
	if (!caller_is_trusted(c)) {
		sbuf_add(out, s->reduced, s->reduced_len);
		sbuf_putc(out, '}');
	} else {
		sbuf_add(out, s->text, s->text_len);
		add_caller(out, c);
	}
	pthread_mutex_unlock(&s->lock);
}

void serverinfo_stale(struct serverinfo *s)
{
	pthread_mutex_lock(&s->lock);
	s->changes = UINT64_MAX;
	pthread_mutex_unlock(&s->lock);
}
