/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of the firewall that others take away: the kernel's own messages, in a namespace of the
 * test's own. */
#include <pthread.h>

#include "tests/unit/node/network/netns.h"

#include "node/host/watch.h"
#include "node/network/network_int.h"
#include "node/node_int.h"
#include "tests/unit/base/patience.h"

#define WAIT_S 60
#define NFT "/usr/sbin/nft"

struct world {
	struct node n;
	int home;
	pthread_mutex_t lock;
	pthread_cond_t told_cond;
	char told[256]; /* "NETWORK " each */
};

static void on_lost(void *arg, const char *network)
{
	struct world *w = arg;
	size_t len;

	pthread_mutex_lock(&w->lock);
	len = strlen(w->told);
	snprintf(w->told + len, sizeof(w->told) - len, "%s ", network ? network : "?");
	pthread_cond_broadcast(&w->told_cond);
	pthread_mutex_unlock(&w->lock);
}

static int set_up(void **state)
{
	struct world *w = xnew(struct world);
	struct err err = { 0 };

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->told_cond, NULL);
	w->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	close(new_netns());
	w->n.network_lost = on_lost;
	w->n.arg = w;
	w->n.watch = watch_new(&err);
	assert_non_null(w->n.watch);
	if (firewall_watch(&w->n, &err) < 0)
		fail_msg("%s", err.msg);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	watch_free(w->n.watch);
	enter(w->home);
	close(w->home);
	free(w);
	return 0;
}

/* One transaction. */
static void nft(const char *rules)
{
	static const char *const argv[] = { NFT, "-f", "-", NULL };
	struct err err = { 0 };

	if (proc_run_input(argv, rules, NULL, PATIENCE, &err) < 0)
		fail_msg("%s: %s", rules, err.msg);
}

/* What was told until the end of a table of the test's own, which comes last. */
static char *told(struct world *w)
{
	struct timespec until = { .tv_sec = time(NULL) + WAIT_S };
	char *ret;

	nft("add table inet dunlin-last");
	nft("delete table inet dunlin-last");
	pthread_mutex_lock(&w->lock);
	while (!strstr(w->told, "last ") &&
	       pthread_cond_timedwait(&w->told_cond, &w->lock, &until) == 0)
		;
	ret = xstrdup(w->told);
	w->told[0] = '\0';
	pthread_mutex_unlock(&w->lock);
	return ret;
}

#define MADE                                                                                 \
	"table inet dunlin-a {\nchain c {\ntype filter hook input priority 0\n"              \
	"tcp dport 7 accept\n}\n}\ntable bridge dunlin-a {\n}\ntable inet dunlin-b {\n}\n"   \
	"table inet other {\nchain c {\ntcp dport 7 accept\n}\n}\n"

static void tells_what_goes(void **state)
{
	static const struct {
		const char *rules; /* after all of MADE is there */
		const char *told;
	} cases[] = {
		{ "delete table inet dunlin-b", "b last " },
		{ "delete table bridge dunlin-a", "a last " },
		{ "flush chain inet dunlin-a c", "a last " },
		{ "flush ruleset", "a a b last " },
		/* Others' tables are nobody's loss. */
		{ "delete table inet other", "last " },
		{ "flush chain inet other c", "last " },
		{ "add table inet dunlin-new", "last " },
		/* One that is made anew in the same transaction was replaced. */
		{ "delete table inet dunlin-b\ntable inet dunlin-b {\n}", "last " },
		{ "delete table inet dunlin-b\nadd table inet dunlin-b\n"
		  "delete table inet dunlin-b",
		  "b last " },
		{ "flush ruleset\n" MADE, "last " },
		{ "flush ruleset\ntable inet dunlin-a {\n}", "a b last " },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *before = NULL, *got = NULL;

		nft("flush ruleset\n" MADE);
		before = told(w);
		nft(cases[i].rules);
		got = told(w);
		if (!str_eq(got, cases[i].told))
			fail_msg("%s: %s", cases[i].rules, got);
	}
}

/* The daemon's own change of a network is no loss of it. */
static void own_changes_are_quiet(void **state)
{
	_json_ json_t *config = json_object();
	struct net net = { .name = "mine", .config = config, .mtu = 1500 };
	struct world *w = *state;
	struct err err = { 0 };
	_free_ char *got = NULL, *gone = NULL;

	assert_true(ip_parse("10.77.1.1/24", &net.v4.gateway));
	net.v4.firewall = net.v4.nat = true;
	for (int i = 0; i < 2; i++) {
		if (firewall_ensure(&net, &err) < 0)
			fail_msg("%s", err.msg);
	}
	got = told(w);
	assert_string_equal(got, "last ");
	nft("delete table inet dunlin-mine");
	gone = told(w);
	assert_string_equal(gone, "mine last ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(tells_what_goes),
		T(own_changes_are_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
