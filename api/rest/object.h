/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/object.h - what all kinds of objects have in common: their routes.
 *
 * A kind is a file of api/object/ with a `const struct kind kind_X`, which says what is special
 * about it, and a KIND row in cluster/model/entity.def, which says where it is and what it offers:
 *
 *     list    GET    /1.0/things        URLs, with ?recursion= objects; ?filter=
 *     get     GET    /1.0/things/NAME   with an ETag of what may be changed
 *     create  POST   /1.0/things        201 and thing-created; ?target=: one member's part of it
 *     put     PUT    /1.0/things/NAME   If-Match; thing-updated
 *     patch   PATCH  /1.0/things/NAME   the same, leaving alone what is not sent
 *     rename  POST   /1.0/things/NAME   201 and thing-renamed; refused while it is used
 *     delete  DELETE /1.0/things/NAME   thing-deleted; refused while it is used
 *
 * Names of events and the nouns of messages are entity_name() of the kind's rows. An attempt is one
 * transaction: what was looked at is as it was when it commits, else it is made again (again() in
 * handle.h).
 */
#pragma once
#include "api/http/route.h"
#include "api/rest/handle.h"

/* The routes that a KIND row offers; others are refused. */
enum kind_verbs {
	CAN_LIST = 1,
	CAN_GET = 2,
	CAN_CREATE = 4,
	CAN_CHANGE = 8, /* PUT and PATCH */
	CAN_RENAME = 16,
	CAN_DELETE = 32,
	CAN_ALL = 63,
};

/* What a client may send of an object. */
enum field_use {
	FIELD_NAME,  /* the row's key: to make one; afterwards it must be the same */
	FIELD_FIXED, /* a text, to make one; afterwards it must be the same */
	FIELD_WRITE, /* may be changed; a PUT without it empties it */
	FIELD_KEEP,  /* may be changed; a PUT without it leaves it alone */
	FIELD_SHOWN, /* shown when it is there; ignored when clients send it back */
};
struct field {
	const char *key; /* NULL ends the list */
	enum json_want want;
	enum field_use use;
	bool required; /* to make one */
};

/* One attempt to make, change, rename or delete an object. */
struct change {
	const struct kind *kind;
	const char *name;     /* of the object; the old one in a renaming */
	const char *key;      /* of its row: the name in its project (ref.h) */
	const char *new_name; /* of a renaming, else NULL */
	const char *what;     /* "profile \"x\"", for errors */
	const json_t *old;    /* the row as it is; NULL: it is being made */
	const json_t *seen;   /* the same as seen() says, of a change */
	json_t *doc;          /* the row as it will be; NULL: it is being deleted */
	struct tx *tx;        /* what else goes along, and what must not have changed */
	int64_t revision;     /* of the replica before anything was looked at */
};

/* Functions that are NULL do nothing. Those that return int are 0, or -1 with req_err set. */
struct kind {
	enum entity entity;
	const struct field *fields;
	size_t name_max;          /* of a name, in bytes; 0: is_name() decides */
	const char *name_without; /* bytes that may not be in it, beside '/' and '~'; or NULL */
	bool (*is_name)(const char *name);
	const char *name_rule; /* is_name() in words */
	/* The name of the one that is always there: a fresh database has it, with this
	 * description, and it can't be renamed or deleted. Or NULL. */
	const char *keep, *keep_text;
	const char *used_as; /* of used_by(): who uses one; shown, and kept from losing it */
	int (*ready)(struct req *r); /* before anything else: is there such a thing here at all? */
	/* The row that the path means, when its key is not the name. */
	int (*find)(struct req *r, const char *name, struct row *ret);
	bool (*hidden)(struct req *r, const struct row *row); /* from this caller */
	/* All rows, when the entity's own are not all. */
	int (*rows)(struct req *r, struct rows *ret);
	/* The document as clients see it, when fields stand elsewhere than in the row; new
	 * reference. What is sent of these is in a change's doc, for check() to take away. */
	json_t *(*seen)(struct req *r, const struct row *row);
	/* Adds to j, which has all fields and used_by. */
	void (*show)(struct req *r, const struct row *row, json_t *j);
	/* Is what is FIXED right, and what follows from the name? Fills defaults in. Before a new
	 * object, and one member's part of it. */
	int (*fix)(struct req *r, struct change *c);
	/* May it become doc? Of a new and of a changed object; may complete doc and tx. */
	int (*check)(struct req *r, struct change *c);
	/* May it lose its name? Of a renamed and of a deleted object; may complete tx. */
	int (*leave)(struct req *r, struct change *c);
	/* It is committed: makes it so here. Of a new, a changed and a deleted object. */
	int (*apply)(struct req *r, const struct change *c);
	/* Makes or deletes one by other means than its row, and answers. */
	int (*make)(struct req *r);
	int (*remove)(struct req *r, const struct row *row);
	const char *no_rename; /* why none can be renamed; NULL: they can */
	/* What check() has done on this host is in vain: nothing was committed. */
	void (*undo)(struct req *r, const struct change *c);
};

/* The handlers of KIND rows. */
int object_list(struct req *r);
int object_get(struct req *r);
int object_create(struct req *r);
int object_change(struct req *r);
int object_rename(struct req *r);
int object_delete(struct req *r);

/* For further routes below an object, {0} of the path: the row, or ERR_NOT_FOUND. */
int object_find(struct req *r, const struct kind *k, struct row *ret);

/* Makes those that are always there, of all kinds in a table of routes. */
void objects_keep(const struct api_env *env, const struct route *routes);

/* What stands in api/rest/object.c alone, for its test. */
/* The URL, without its project, of an object by the path of one of its kind's rows: {parts} before
 * the last one are filled in. The caller frees. */
char *object_url(const char *path, const char *const params[], const char *name);
/* Writes body into doc: what is not sent is emptied, or with patch left alone. */
void object_merge(const struct kind *k, json_t *doc, const json_t *body, bool patch);
/* A copy of what may be changed, with what doc lacks filled in. */
json_t *object_writable(const struct kind *k, const json_t *doc);
