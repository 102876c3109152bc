/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd/snapshot.h - INSTANCE/SNAPSHOT where a command takes an instance. */
#pragma once
#include "cli/net/client.h"

bool snapshot_is_named(const char *name);
/* The others take a name that is one. */
int snapshot_delete(struct client *cl, const char *name, struct err *err);
/* to: another name, alone or behind the same instance. */
int snapshot_rename(struct client *cl, const char *name, const char *to, struct err *err);
