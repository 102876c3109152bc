/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/entity.h - the kinds of objects that share show, get, set, unset, edit, delete and
 * rename: the ENTITY and OBJECT rows of cli/cmds.def.
 *
 * The kind follows from the words of the command ("profile set", "config device add").
 */
#pragma once
#include "cli/net/client.h"

struct object;

struct entity {
	const char *words; /* of the commands */
	const char *noun;
	const char *path;       /* with a %s for each name */
	const char *put;        /* fields that may be written, in the order of show and edit */
	const char *map;        /* the field that get, set and unset work on */
	int names;              /* how many arguments name one; 0 is 1 */
	bool show_put;          /* show prints only those fields */
	bool or_server;         /* without a name, the server itself is meant */
	const char *name_field; /* that rename writes; NULL is "name" */
	/* Finds kind, name and path by the arguments; NULL: the argument is the name. */
	int (*resolve)(struct object *o, const char *const names[2], struct err *err);
};

struct object {
	struct client *cl;
	const struct entity *kind;
	char *name; /* resolved: fingerprints are whole */
	char *path;
};

/* That a command works on: of all whose words the command begins with, the longest. */
const struct entity *entity_of(const char *words);
/* By its own words. */
const struct entity *entity_named(const char *words);
int entity_names(const struct entity *e);
/* The object that the first arguments of the command name; `arg` stands for the first. NULL or a
 * remote alone is the server itself, where the kind has one ("config"). */
int object_open(struct cli *c, const char *arg, struct object *ret, struct err *err);
/* The same of another kind than the command's. */
int object_open_as(struct cli *c, const struct entity *kind, const char *arg, struct object *ret,
		   struct err *err);
void object_close(struct object *o);
#define _object_ __attribute__((cleanup(object_close)))

json_t *object_read(const struct object *o, struct err *err);
/* Servers answer "not found" in many words: names the object where the message does not. -1. */
int object_missing(const struct object *o, struct err *err);
/* Reads, lets `change` alter, and writes back the object; again when it changed meanwhile. */
int object_update(const struct object *o, int (*change)(json_t *obj, void *arg, struct err *err),
		  void *arg, struct err *err);
/* The full fingerprint of an alias or of a beginning of a fingerprint. The caller frees. */
char *image_fingerprint(struct client *cl, const char *name, const char *target, struct err *err);
