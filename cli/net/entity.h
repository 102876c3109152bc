/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/entity.h - the kinds of objects that share show, get, set, unset, edit, delete and
 * rename.
 *
 * The kind follows from the words of the command ("profile set", "config device add").
 */
#pragma once
#include "cli/net/client.h"

struct entity {
	const char *words; /* of the commands */
	const char *noun;
	const char *path; /* with one %s for the name */
	const char *put;  /* fields that may be written, in the order of show and edit */
	const char *map;  /* the field that get, set and unset work on */
	bool show_put;    /* show prints only those fields */
};

struct object {
	struct client *cl;
	const struct entity *kind;
	char *name; /* resolved: fingerprints are whole */
	char *path;
};

const struct entity *entity_of(const char *words);
/* How many arguments name one: a volume has a pool. */
int entity_names(const struct entity *e);
/* The object that an argument names; NULL or a remote alone is the server itself, where the kind
 * has one ("config"). */
int object_open(struct cli *c, const char *arg, struct object *ret, struct err *err);
void object_close(struct object *o);
#define _object_ __attribute__((cleanup(object_close)))

json_t *object_get(const struct object *o, struct err *err);
/* Servers answer "not found" in many words: names the object where the message does not. -1. */
int object_missing(const struct object *o, struct err *err);
/* Reads, lets `change` alter, and writes back the object; again when it changed meanwhile. */
int object_update(const struct object *o, int (*change)(json_t *obj, void *arg, struct err *err),
		  void *arg, struct err *err);
/* The full fingerprint of an alias or of a beginning of a fingerprint. The caller frees. */
char *image_fingerprint(struct client *cl, const char *name, const char *target, struct err *err);
