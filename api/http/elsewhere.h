/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/elsewhere.h - where operations run that began through this member on another one.
 *
 * Their facts arrive a moment after the answer that names them; a client that asks at once must
 * not hear that there is no such operation. Keeps the last ELSEWHERE_MAX. From any thread.
 */
#pragma once
#include <stdbool.h>

#define ELSEWHERE_MAX 256

struct elsewhere;

struct elsewhere *elsewhere_new(void);
void elsewhere_free(struct elsewhere *e);
void elsewhere_note(struct elsewhere *e, const char *operation_id, const char *member);
bool elsewhere_find(struct elsewhere *e, const char *operation_id, char ret_member[64]);
