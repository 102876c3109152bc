/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/snapshots.h - what the keys snapshots.* say: how long a snapshot is kept, and what
 * it is called. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A span as "1M 2H 3d 4w 5m 6y": minutes, hours, days, weeks, months, years. Why it is none; NULL
 * when it is one. */
const char *snapshots_expiry_wrong(const char *text);
/* A span after `from` (seconds since 1970), by the calendar in UTC; 0 for an empty one: never. */
int64_t snapshots_expire_at(const char *text, int64_t from);

/* A name with at most one "%d", and "{{ creation_date|date:'LAYOUT' }}" with Go's reference time as
 * layout (its numbers of two digits, and 2006). */
const char *snapshots_pattern_wrong(const char *text);
/* The name of one that is made at `now`: with the number after the greatest that `names` (count of
 * them) have; the caller frees. One without a number gets it at its end when it is taken. */
char *snapshots_name(const char *pattern, int64_t now, const char *const *names, int count);
