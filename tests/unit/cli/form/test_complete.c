/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/form/complete.h"

static void add_word(void *arg, const char *text)
{
	sbuf_printf(arg, "%s ", text);
}

static const struct {
	const char *line;
	const char *words; /* each is offered; all of them, unless "..." ends the list */
} cases[] = {
	{ "dunlin conf", "config " },
	{ "dunlin config ", "device edit get set show trust unset ..." },
	{ "dunlin config dev", "device " },
	{ "dunlin nothing ", "" },
	{ "lxc", "" },
	{ "", "" },
	{ "dunlin launch --st", "--storage " },
	{ "dunlin --ver", "--verbose --version " },
	/* instances and the server */
	{ "dunlin config set c1 boot.autostart", "boot.autostart= boot.autostart.delay= ..." },
	{ "dunlin config set c1 boot.autostart=", "boot.autostart=true boot.autostart=false " },
	{ "dunlin config set c1 boot.autostart=t", "boot.autostart=true " },
	{ "dunlin config set --target m1 c1 limits.p", "limits.processes= " },
	{ "dunlin config set c1 limits.processes=", "" },
	{ "dunlin config set c1 environ", "environment. " },
	{ "dunlin config set c1 cluster", "" },
	{ "dunlin storage create p1 ", "overlay dir ..." },
	{ "dunlin storage create p1 ov", "overlay " },
	{ "dunlin storage create p1 overlay so", "source= " },
	{ "dunlin config get c1 security.pro", "security.protection.delete " },
	{ "dunlin config unset c1 limits.cpu limits.m", "limits.memory " },
	{ "dunlin config set volat", "" },
	{ "dunlin config set core.https", "core.https_address= " },
	{ "dunlin config set core.https_address=:8443 cluster.max_v", "cluster.max_voters= " },
	{ "dunlin config get core.prox", "" },
	{ "dunlin profile set p security.", "security.privileged= security.protection.delete= " },
	{ "dunlin launch img -c limits.c", "limits.cpu= " },
	{ "dunlin launch img --config security.privileged=f", "security.privileged=false " },
	{ "dunlin launch img --target ", "" },
	/* networks, pools, members */
	{ "dunlin network set br0 ipv4.n", "ipv4.nat= " },
	{ "dunlin network set br0 dns.mode=", "dns.mode=managed dns.mode=dynamic dns.mode=none " },
	{ "dunlin network create br0 vx", "vxlan.id= " },
	{ "dunlin network unset br0 ipv4.dhcp.", "ipv4.dhcp.expiry ipv4.dhcp.ranges " },
	{ "dunlin storage set pool so", "source= " },
	{ "dunlin storage volume set pool v so", "" },
	{ "dunlin cluster set m1 scheduler.instance=m", "scheduler.instance=manual " },
	/* devices */
	{ "dunlin config device add c1 eth0 n", "nic none ..." },
	{ "dunlin config device add c1 eth0 nic host", "host_name= " },
	{ "dunlin config device add c1 d disk ", "path= source= readonly= required= ..." },
	{ "dunlin config device add c1 d disk readonly=", "readonly=true readonly=false " },
	{ "dunlin config device add c1 d disk hwa", "" },
	{ "dunlin config device set c1 d rea", "readonly= " },
	{ "dunlin profile device set p eth0 hwa", "hwaddr= " },
	{ "dunlin profile device get p eth0 hwa", "hwaddr " },
	{ "dunlin config device ove", "override " },
	{ "dunlin config device override c1 d requ", "required= " },
	/* names, which only the server knows */
	{ "dunlin start ", "" },
	{ "dunlin profile set ", "" },
};

static void test_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf got = SBUF(1 << 16);
		_free_ char *want = xstrdup(cases[i].words);
		bool more = str_ends(want, "...");
		size_t len = 0, n;
		char *words[16];

		complete_line(&commands, cases[i].line, add_word, &got);
		n = str_split(want, ' ', words, ARRAY_SIZE(words)) - 1; /* "" or "..." ends it */
		for (size_t w = 0; w < n; w++) {
			_free_ char *word = xasprintf("%s ", words[w]);

			if (!got.data || !strstr(got.data, word))
				fail_msg("%s: no \"%s\" in \"%s\"", cases[i].line, words[w],
					 got.data ? got.data : "");
			len += strlen(word);
		}
		if (!more && got.len != len)
			fail_msg("%s: \"%s\"", cases[i].line, got.data);
	}
}

/* A line may be as long as one likes. */
static void test_long_lines(void **state)
{
	_sbuf_ struct sbuf got = SBUF(1 << 16), line = SBUF(1 << 16);

	sbuf_puts(&line, "dunlin config set c1");
	for (int i = 0; i < 1000; i++)
		sbuf_puts(&line, " user.a=b");
	complete_line(&commands, line.data, add_word, &got);
	assert_int_equal(got.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
