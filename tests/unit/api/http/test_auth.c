/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and what a row of the table of routes lets them do. */
#include "tests/unit/cluster/member/guest.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/conn.h"
#include "api/work/env.h"
#include "base/str.h"

#define KNOWN "c0ffee"

/* What the rows say of KNOWN, and of this member's own certificate. */
static enum caller_kind known_kind, own_kind = CALLER_MEMBER;
static int identified;

static enum caller_kind identify(const struct api_env *env, const char *fingerprint,
				 char ret_name[64])
{
	bool own = str_eq(fingerprint, env->cluster->creds.server_fp);

	identified++;
	if (!own && !str_eq(fingerprint, KNOWN))
		return CALLER_NOBODY;
	str_copy(ret_name, 64, own ? FIRST : "laptop");
	return own ? own_kind : known_kind;
}

static uint64_t change_count(const struct api_env *env)
{
	return store_change_count(env->store);
}

static const struct server_hooks hooks = { .identify = identify, .change_count = change_count };

struct world {
	struct store_world w;
	struct api_env env;
	struct server server;
	struct conn conn;
	struct route route;
	struct req r;
	char head[2048]; /* what the headers point into */
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	world_enable(&t->w);
	t->env = (struct api_env){ .cluster = t->w.cluster, .store = t->w.store };
	t->server.env = &t->env;
	t->server.cluster = t->w.cluster;
	t->server.hooks = &hooks;
	t->server.quota = quota_new();
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	quota_free(t->server.quota);
	world_close(&t->w);
	free(t);
	return 0;
}

/* Someone connects with this certificate ("": none) and asks; headers: "Name: value" by "\n". */
static void comes(struct world *t, const char *fingerprint, const char *headers)
{
	char *lines[16];
	size_t n;

	t->conn = (struct conn){ .server = &t->server, .peer_not_after = INT64_MAX };
	t->r = (struct req){
		.server = &t->server, .env = &t->env, .conn = &t->conn, .route = &t->route
	};
	str_copy(t->conn.peer.fingerprint, sizeof(t->conn.peer.fingerprint), fingerprint);
	str_copy(t->conn.peer.address, sizeof(t->conn.peer.address), "10.0.0.9:4242");
	t->r.head.method = "GET";
	str_copy(t->head, sizeof(t->head), headers);
	n = *headers ? str_split(t->head, '\n', lines, ARRAY_SIZE(lines)) : 0;
	for (size_t i = 0; i < n; i++) {
		char *colon = strstr(lines[i], ": ");

		assert_non_null(colon);
		*colon = '\0';
		t->r.head.headers[t->r.head.nheaders++] =
			(struct http_header){ lines[i], colon + 2 };
	}
}

static void comes_by_unix(struct world *t, const char *headers)
{
	comes(t, "", headers);
	t->conn.is_unix = true;
}

static enum err_kind checked(struct world *t)
{
	int rc;

	t->r.err = (struct err){ 0 };
	rc = auth_check(&t->r);
	assert_int_equal(rc, t->r.err.kind ? -1 : 0);
	return t->r.err.kind;
}

/* --- roles ------------------------------------------------------------------------------------ */

static void a_row_says_who_may(void **state)
{
	static const struct {
		enum role role;
		bool may[4]; /* by enum caller_kind: nobody, client, member, admin */
	} cases[] = {
		{ ROLE_ANY, { true, true, true, true } },
		{ ROLE_TRUSTED, { false, true, false, true } },
		{ ROLE_MEMBER, { false, false, true, false } },
		{ ROLE_ADMIN, { false, false, false, true } },
		{ (enum role)99, { false, false, false, false } },
	};
	struct world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int kind = CALLER_NOBODY; kind <= CALLER_ADMIN; kind++) {
			comes(t, "", "");
			t->r.caller.kind = kind;
			t->route.role = cases[i].role;
			if ((checked(t) == ERR_NONE) != cases[i].may[kind])
				fail_msg("role %d, caller %d: %s", cases[i].role, kind,
					 t->r.err.msg);
		}
	}
}

/* A client that believes to be known is told so instead of what strangers are shown. */
static void a_stranger_that_says_to_be_known_is_refused(void **state)
{
	struct world *t = *state;

	t->route.role = ROLE_ANY;
	comes(t, "", "X-LXD-authenticated: true");
	t->r.caller.kind = CALLER_NOBODY;
	assert_int_equal(checked(t), ERR_FORBIDDEN);
	t->r.caller.kind = CALLER_CLIENT;
	assert_int_equal(checked(t), ERR_NONE);
}

/* --- pages of other sites --------------------------------------------------------------------- */

static void pages_of_other_sites_are_refused(void **state)
{
	static const struct {
		const char *headers;
		bool may;
	} cases[] = {
		{ "Host: lxd:8443", true },
		{ "Host: lxd:8443\nOrigin: https://lxd:8443", true },
		{ "Host: lxd:8443\nOrigin: HTTPS://LXD:8443", true },
		{ "Host: lxd:8443\nOrigin: https://lxd:8443/ui", true },
		{ "Host: lxd:8443\nOrigin: wss://lxd:8443", true },
		{ "Host: lxd:443\nOrigin: https://lxd", true },
		{ "Host: lxd\nOrigin: https://lxd:443", true },
		{ "Host: lxd:8443\nOrigin: ", true },
		{ "Host: [::1]:8443\nOrigin: https://[::1]:8443", true },
		{ "Host: lxd:8443\nOrigin: http://lxd:8443", false },
		{ "Host: lxd:8443\nOrigin: ws://lxd:8443", false },
		{ "Host: lxd:8443\nOrigin: https://lxd:8444", false },
		{ "Host: lxd:8443\nOrigin: https://lxd", false },
		{ "Host: lxd:8443\nOrigin: https://lxd:84433", false },
		{ "Host: lxd:8443\nOrigin: https://evil.lxd:8443", false },
		{ "Host: lxd:8443\nOrigin: https://lxd:8443.evil", false },
		{ "Host: lxd:8443\nOrigin: https://evil/lxd:8443", false },
		{ "Host: lxd:8443\nOrigin: null", false },
		{ "Host: lxd:8443\nOrigin: lxd:8443", false },
		{ "Origin: https://lxd:8443", false },
		{ "Host: lxd\nSec-Fetch-Site: cross-site", false },
		{ "Host: lxd\nSec-Fetch-Site: Same-Site", false },
		{ "Host: lxd\nSec-Fetch-Site: same-origin", true },
		{ "Host: lxd\nSec-Fetch-Site: none", true },
		{ "Host: lxd:8443\nOrigin: https://lxd:8443\nSec-Fetch-Site: cross-site", false },
	};
	struct world *t = *state;

	t->route.role = ROLE_ANY;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		comes(t, KNOWN, cases[i].headers);
		t->r.caller.kind = CALLER_CLIENT;
		if ((checked(t) == ERR_NONE) != cases[i].may)
			fail_msg("%s: %s", cases[i].headers, t->r.err.msg);
	}
}

/* On the socket a client names what it likes as its origin, but browsers can't get there. */
static void the_socket_takes_origins_of_no_page(void **state)
{
	struct world *t = *state;

	t->route.role = ROLE_ANY;
	comes_by_unix(t, "Host: unix.socket\nOrigin: unix://elsewhere");
	assert_int_equal(checked(t), ERR_NONE);
	comes_by_unix(t, "Host: unix.socket\nOrigin: https://elsewhere");
	assert_int_equal(checked(t), ERR_FORBIDDEN);
	comes_by_unix(t, "Host: unix.socket\nOrigin: rubbish");
	assert_int_equal(checked(t), ERR_FORBIDDEN);
}

/* The member that the client called has looked at it: its own name is another one. */
static void a_forwarded_origin_was_looked_at(void **state)
{
	struct world *t = *state;

	t->route.role = ROLE_ANY;
	comes(t, "", "Host: n2:8443\nOrigin: https://n1:8443");
	assert_int_equal(checked(t), ERR_FORBIDDEN);
	t->r.forwarded = true;
	assert_int_equal(checked(t), ERR_NONE);
}

/* --- who it is -------------------------------------------------------------------------------- */

static void a_certificate_is_whose_the_rows_say(void **state)
{
	static const struct {
		const char *fingerprint;
		enum caller_kind in_rows, is;
		const char *name;
	} cases[] = {
		{ "", CALLER_CLIENT, CALLER_NOBODY, "" },
		{ "5tranger", CALLER_CLIENT, CALLER_NOBODY, "" },
		{ KNOWN, CALLER_CLIENT, CALLER_CLIENT, "laptop" },
		{ KNOWN, CALLER_MEMBER, CALLER_MEMBER, "laptop" },
		{ KNOWN, CALLER_NOBODY, CALLER_NOBODY, "" },
	};
	struct world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		comes(t, cases[i].fingerprint, "");
		known_kind = cases[i].in_rows;
		auth_identify(&t->conn, &t->r);
		assert_int_equal(t->r.caller.kind, cases[i].is);
		assert_string_equal(t->r.caller.name, cases[i].name);
		assert_string_equal(t->r.caller.address, "10.0.0.9:4242");
		assert_false(t->r.forwarded);
	}
}

static void the_socket_is_the_administrators(void **state)
{
	struct world *t = *state;

	comes_by_unix(t, FORWARDED "Kind: client");
	str_copy(t->conn.peer.name, sizeof(t->conn.peer.name), "uid 7");
	auth_identify(&t->conn, &t->r);
	assert_int_equal(t->r.caller.kind, CALLER_ADMIN);
	assert_string_equal(t->r.caller.name, "uid 7");
}

/* Rows are not asked again for each request of a connection, but after each change. */
static void trust_ends_with_its_row(void **state)
{
	struct world *t = *state;

	comes(t, KNOWN, "");
	known_kind = CALLER_CLIENT;
	identified = 0;
	assert_int_equal(auth_trust(&t->conn), CALLER_CLIENT);
	assert_int_equal(auth_trust(&t->conn), CALLER_CLIENT);
	assert_int_equal(identified, 1);
	world_put(&t->w, ENT_PROFILE, "p", json_object());
	known_kind = CALLER_NOBODY;
	assert_int_equal(auth_trust(&t->conn), CALLER_NOBODY);
	assert_int_equal(identified, 2);
}

static void a_clients_certificate_ends_with_its_date_and_no_members_does(void **state)
{
	struct world *t = *state;

	t->route.role = ROLE_TRUSTED;
	known_kind = CALLER_CLIENT;
	comes(t, KNOWN, "");
	t->conn.peer_not_after = 1000;
	auth_identify(&t->conn, &t->r);
	assert_int_equal(t->r.caller.kind, CALLER_NOBODY);
	assert_int_equal(checked(t), ERR_FORBIDDEN);
	assert_non_null(strstr(t->r.err.msg, KNOWN " expired at 1970-01-01T00:16:40"));

	comes(t, "5tranger", "");
	t->conn.peer_not_after = 1000;
	auth_identify(&t->conn, &t->r);
	assert_int_equal(checked(t), ERR_FORBIDDEN);
	assert_string_equal(t->r.err.msg, "not authorized");

	comes(t, t->w.cluster->creds.server_fp, "");
	t->conn.peer_not_after = 1000;
	auth_identify(&t->conn, &t->r);
	assert_int_equal(t->r.caller.kind, CALLER_MEMBER);
	assert_false(auth_has_expired(&t->conn));
}

/* --- what a member passes on ------------------------------------------------------------------ */

/* Headers of this kind, by a member that proves for this text ("KIND FINGERPRINT"). */
static void passes_on(struct world *t, const char *from, const char *kind, const char *proven)
{
	const char *self = t->w.cluster->creds.server_fp;
	_free_ char *headers = NULL;
	char proof[VOUCH_SIZE];

	cluster_vouch(t->w.cluster, self, proven, proof);
	headers = xasprintf(FORWARDED "Kind: %s\n" FORWARDED "Fingerprint: abc\n" FORWARDED
				      "Name: laptop\n" FORWARDED "Address: 10.0.0.7:99\n" FORWARDED
				      "Proof: %s",
			    kind, proof);
	comes(t, from, headers);
	auth_identify(&t->conn, &t->r);
}

static void a_member_passes_on_who_asks(void **state)
{
	static const struct {
		const char *kind;
		enum caller_kind is;
	} cases[] = {
		{ "nobody", CALLER_NOBODY },
		{ "client", CALLER_CLIENT },
		{ "admin", CALLER_ADMIN },
		{ "member", CALLER_NOBODY }, /* nobody is made one by another's word */
		{ "Admin", CALLER_NOBODY },
		{ "root", CALLER_NOBODY },
	};
	struct world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = auth_caller_text(cases[i].kind, "abc");

		passes_on(t, t->w.cluster->creds.server_fp, cases[i].kind, text);
		assert_true(t->r.forwarded);
		assert_int_equal(t->r.caller.kind, cases[i].is);
		assert_string_equal(t->r.caller.fingerprint, "abc");
		assert_string_equal(t->r.caller.name, "laptop");
		assert_string_equal(t->r.caller.address, "10.0.0.7:99");
	}
}

/* Its certificate alone opens /internal and nothing else. */
static void a_member_without_the_proof_stays_one(void **state)
{
	struct world *t = *state;
	const char *self = t->w.cluster->creds.server_fp;

	passes_on(t, self, "admin", "client abc");
	assert_false(t->r.forwarded);
	assert_int_equal(t->r.caller.kind, CALLER_MEMBER);
	passes_on(t, self, "admin", "admin abd");
	assert_int_equal(t->r.caller.kind, CALLER_MEMBER);
	passes_on(t, self, "", " abc");
	assert_false(t->r.forwarded);
	assert_int_equal(t->r.caller.kind, CALLER_MEMBER);
}

/* Not even one that knows the key, as members do that were removed a moment ago. */
static void nobody_else_passes_anything_on(void **state)
{
	struct world *t = *state;
	const char *self = t->w.cluster->creds.server_fp;

	known_kind = CALLER_CLIENT;
	passes_on(t, KNOWN, "admin", "admin abc");
	assert_false(t->r.forwarded);
	assert_int_equal(t->r.caller.kind, CALLER_CLIENT);
	passes_on(t, "5tranger", "admin", "admin abc");
	assert_int_equal(t->r.caller.kind, CALLER_NOBODY);
	for (own_kind = CALLER_NOBODY; own_kind < CALLER_MEMBER; own_kind++) {
		passes_on(t, self, "admin", "admin abc");
		assert_false(t->r.forwarded);
		assert_int_equal(t->r.caller.kind, own_kind);
	}
}

/* --- who connected ---------------------------------------------------------------------------- */

static void the_socket_knows_the_user(void **state)
{
	struct conn c = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	auth_peer_unix(&c, pair[0]);
	if (geteuid() == 0)
		assert_string_equal(c.peer.name, "root");
	else
		assert_memory_equal(c.peer.name, "uid ", 4);
	assert_string_equal(c.peer.address, "@");
	close(pair[0]);
	close(pair[1]);
	/* of a socket that says nothing about its user */
	c = (struct conn){ 0 };
	auth_peer_unix(&c, -1);
	assert_string_not_equal(c.peer.name, "root");
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_row_says_who_may),
		T(a_stranger_that_says_to_be_known_is_refused),
		T(pages_of_other_sites_are_refused),
		T(the_socket_takes_origins_of_no_page),
		T(a_forwarded_origin_was_looked_at),
		T(a_certificate_is_whose_the_rows_say),
		T(the_socket_is_the_administrators),
		T(trust_ends_with_its_row),
		T(a_clients_certificate_ends_with_its_date_and_no_members_does),
		T(a_member_passes_on_who_asks),
		T(a_member_without_the_proof_stays_one),
		T(nobody_else_passes_anything_on),
		T(the_socket_knows_the_user),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
