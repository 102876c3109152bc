/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/net/handshake.h"

/* The example of RFC 6455, 1.3, and others by openssl(1). */
static void answers_keys(void **state)
{
	static const struct {
		const char *key, *answer;
	} cases[] = {
		{ "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
		{ "x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk=" },
		{ "", "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char answer[WS_ACCEPT_SIZE];

		ws_accept_key(cases[i].key, answer);
		assert_string_equal(answer, cases[i].answer);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
