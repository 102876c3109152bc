/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/mountinfo.h - the mounts that a process sees, as proc_pid_mountinfo(5) has them. */
#pragma once
#include <stdbool.h>

struct mountinfo {
	const char *id, *device; /* numbers; MAJOR:MINOR */
	const char *root;        /* what of the device is here */
	const char *at, *type;
	bool related; /* to mounts elsewhere: it gives or receives */
};
/* The next of a text, which is cut up in place and moved on; false at the end. */
bool mountinfo_next(char **text, struct mountinfo *ret);
