/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/lease.h - the rows of addresses: {network, ip, instance, device, hwaddr} while one
 * is leased. A freed one stays as {network, ip, freed: true}, without an instance: its revision
 * tells how long it has been free, and the one that was free the longest is given out next.
 */
#pragma once
#include "cluster/store/store.h"

bool lease_is_free(const json_t *doc);
/* The address of a row as read is free again. */
void lease_free(struct tx *t, const struct row *lease);
