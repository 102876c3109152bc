/* SPDX-License-Identifier: Apache-2.0 */
/* base/err.h - how failures travel.
 *
 * A function that can fail for more than one reason takes a `struct err *` last, returns 0
 * or -1, and on -1 has set it: the kind (callers branch on it, the API maps it to an HTTP
 * status by err.def) and a sentence that names the object and the cause. The buffer is fixed
 * and embedded, so that failing never allocates. Set at the origin; wrap only to add a fact
 * the origin could not know; log once, at the top.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum err_kind {
	ERR_NONE = 0,
#define ERR(kind, http, sentence) kind,
#include "base/err.def"
#undef ERR
	ERR_MAX
};

struct err {
	enum err_kind kind;
	int sys; /* errno at the origin, or 0 */
	char msg[500];
};

/* Both return -1, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As err_set, appending ": " and strerror(errno); the kind is derived from errno. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prefixes the message with context and ": ". */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As err_wrap with "noun "name"", unless the message has the name already: for who passes on what
 * another process said. */
int err_wrap_name(struct err *err, const char *noun, const char *name);

/* The path was somebody's wish, in a tree of theirs: what is wrong with it, or with what is there,
 * is no failure of ours (ERR_INTERNAL), but theirs to mend. Other errors stay. Returns -1. */
int err_blame_path(struct err *err);

int err_http(enum err_kind kind);
const char *err_sentence(enum err_kind kind);
const char *err_name(enum err_kind kind);
enum err_kind err_from_name(const char *name); /* ERR_INTERNAL when unknown */
/* The kind whose status fits best; for answers of servers that send no kind. */
enum err_kind err_from_http(int status);
