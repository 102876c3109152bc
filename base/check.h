/* SPDX-License-Identifier: Apache-2.0 */
/* base/check.h - checks that the rows of several tables of keys share (CHECKED of base/keys.h).
 * Each returns NULL when the value is fine, else what it must be. Never called with "".
 */
#pragma once
#include "base/err.h"

const char *check_line(const char *v);
/* Absolute and plain, names as long as Linux's file systems take them. */
const char *check_path(const char *v);
const char *check_name(const char *v);
const char *check_ifname(const char *v);
const char *check_uuid(const char *v);
/* The fingerprint of an image or a certificate. */
const char *check_fingerprint(const char *v);
/* The life of something: ret is int64_t seconds. */
int parse_life(const char *v, void *ret, struct err *err);
