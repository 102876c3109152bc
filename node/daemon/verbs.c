/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/verbs.h"

#include <stddef.h>

const struct helper_verb helper_verbs[] = {
#define HELPER(verb, fn) { verb, fn },
#include "node/helper/helper.def"
#undef HELPER
	{ NULL, NULL },
};
