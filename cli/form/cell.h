/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/cell.h - cells of lists: what people read of one field of a server's object.
 *
 * A field may lie within another: "config/source"; "" is the item itself. What is absent is an
 * empty cell. The caller frees each.
 */
#pragma once
#include "base/json.h"

char *cell_text(const json_t *item, const char *field);
char *cell_upper(const json_t *item, const char *field);
/* As cell_upper(); objects without a type are containers. */
char *cell_type(const json_t *item, const char *field);
/* 0 when it is no number. */
int64_t item_int(const json_t *item, const char *field);
char *cell_number(const json_t *item, const char *field);
/* "YES" for true and "true", "NO" for all else; and the same in small letters. */
char *cell_yes(const json_t *item, const char *field);
char *cell_small_yes(const json_t *item, const char *field);
/* How many a list has. */
char *cell_count(const json_t *item, const char *field);
/* The texts of a list, a line each. */
char *cell_lines(const json_t *item, const char *field);
/* As many digits of a fingerprint as tell things apart. */
char *cell_short(const json_t *item, const char *field);
char *cell_time(const json_t *item, const char *field);
/* Of an instance: what its configuration has, profiles included, under the key. */
char *cell_config(const json_t *item, const char *key);
