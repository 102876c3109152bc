/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/store_int.h - inside of the store. */
#pragma once
#include "cluster/self/state.h"

struct store *store_new(struct cluster *c);
void store_free(struct store *s);
