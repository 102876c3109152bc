/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/model/ref.h - which object is meant: its name, and the project that it is in.
 *
 * The text form of a ref names the object wherever a single text does: the key of its row, its
 * folders, locks, cgroup and sockets. In the default project it is the bare name, else
 * "project~name". '~' stands in no name of any kind (name_is_free() refuses it), needs no escape in
 * a URL (RFC 3986, 2.3), and means nothing to paths, mount options, AppArmor, liblxc's files and
 * dnsmasq's. The project comes first: a project's rows are neighbours.
 *
 * Objects of global kinds (SCOPE_GLOBAL of entity.def) are in no project: their text form is their
 * name.
 */
#pragma once
#include "base/defaults.h"
#include "cluster/model/row.h"

#define PROJECT_SIZE 64 /* of a project's name, with its end */
#define REF_SEPARATOR '~'

struct ref {
	char project[PROJECT_SIZE];
	const char *name; /* borrowed from the text */
};

/* Reads a text form; of one without a project the default one is meant. */
struct ref ref_of(const char *text);
/* The text form; the caller frees. A name that none may have gets one that none has: what clients
 * send needs no check before it is looked up. */
char *ref_text(const char *project, const char *name);
/* The key of a row of this kind: of a global kind the name. The caller frees. */
char *ref_key(enum entity e, const char *project, const char *name);
/* The key of a row that the object `text` names: a profile of an instance, in the same project. */
char *ref_beside(const char *text, enum entity e, const char *name);
/* NULL: in any. */
bool ref_is_in(const char *text, const char *project);
/* Does the object `text` mean this row when it names `name`? */
bool ref_means(const char *text, enum entity e, const char *name, const char *key);
/* The interface of a network on each host (IFNAMSIZ): its name, and for those of other projects one
 * made of a digest of the text form, which is too long. */
#define REF_IFNAME_SIZE 16
const char *ref_ifname(const char *text, char ret[REF_IFNAME_SIZE]);
/* What two who change the object at once take: "instance/web~c1", the name of its lock and the key
 * of its jobs. The caller frees. */
char *ref_lock(enum entity e, const char *key);
/* "/1.0/<path>/<name>", escaped, in its project; the caller frees. */
char *ref_url(const char *path, const char *text);
/* A URL of the object or of what belongs to it, with "?project=" unless that is the default one;
 * the caller frees. */
char *ref_add_project(const char *url, const char *text);
/* The project of a URL that was made so. */
void ref_project_of_url(const char *url, char ret_project[PROJECT_SIZE]);

/* str_is_name() of a new object: without the separator. */
bool name_is_free(const char *name, size_t max);
