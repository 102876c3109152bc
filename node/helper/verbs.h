/* SPDX-License-Identifier: Apache-2.0 */
/* node/helper/verbs.h - what helpers do (helper.def): the one list of their child sides. */
#pragma once
#include "node/helper/helper.h"

#define HELPER(verb, fn) json_t *fn(const json_t *request, struct err *err);
#include "node/helper/helper.def"
#undef HELPER

extern const struct helper_verb helper_verbs[]; /* for helper_main() */
