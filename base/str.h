/* SPDX-License-Identifier: Apache-2.0 */
/* base/str.h - strict parsing of small texts, and names that are safe in paths and host names.
 *
 * Parsers take the whole string or fail; none accepts leading blanks or signs it does not need.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_to_u64(const char *s, uint64_t max, uint64_t *ret);
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/* "true/false", "1/0", "yes/no", "on/off", any case. */
bool str_to_bool(const char *s, bool *ret);
/* Bytes: "512", "64MB" (10^6), "64MiB" (2^20), B kB MB GB TB KiB MiB GiB TiB. */
bool str_to_size(const char *s, uint64_t *ret_bytes);
/* Seconds of "30", "30S", "10M", "3H", "15d", "1w", "1m" (30 days) or "1y": above 0, up to 100
 * years. */
bool str_to_duration(const char *s, int64_t *ret_s);
/* "1.4 MiB" for people; buf of at least 16 bytes. */
const char *str_of_size(uint64_t bytes, char buf[16]);

/* Instance and member names: 1 to 63 of [a-zA-Z0-9-], a letter first, no hyphen last (RFC 1123,
 * and no all-digit names). */
bool str_is_hostname(const char *s);
/* What a host calls its containers, safe as a folder, a cgroup and a word of a line: a host name,
 * or one after "PREFIX~", which is 1 to 63 of [a-zA-Z0-9._-], no sign first. */
#define FOLDER_SIZE 128 /* with its end */
bool str_is_folder(const char *s);
/* Profiles, pools, networks, aliases...: 1 to max printable bytes, no '/', no blank and no '-'
 * first, not "." or "..". */
bool str_is_name(const char *s, size_t max);
/* Interface names that Linux takes and no tool mistakes: 1 to 15 letters, digits, '-', '_' and '.',
 * no '-' first; neither "." and ".." nor "all" and "default" of /proc/sys/net. */
bool str_is_ifname(const char *s);
bool str_is_hex(const char *s, size_t len);
bool str_is_uuid(const char *s);

static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
bool str_eq(const char *a, const char *b); /* NULL equals NULL */
bool str_starts(const char *s, const char *prefix); /* NULL starts and ends with nothing */
bool str_ends(const char *s, const char *suffix);
/* Order for people: runs of digits count as numbers, n2 before n10. 0 only for equal texts. */
int str_natural(const char *a, const char *b);
/* 1 for yes or y, 0 for no or n, in any case; -1 for anything else. */
int str_yes_no(const char *s);
/* Copies with truncation; true when everything fitted. */
bool str_copy(char *dst, size_t size, const char *src);

/* Splits in place at `sep`; the parts point into `s`. Returns the count, or max + 1 when there
 * are more. */
size_t str_split(char *s, char sep, char **parts, size_t max);
/* In place: %XX and, when plus, '+'. False on a bad escape or an embedded NUL. */
bool str_url_decode(char *s, bool plus);
/* Escapes all but unreserved bytes and '/'; the caller frees. */
char *str_url_encode(const char *s);
