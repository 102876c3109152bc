/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/verb/lxc.h - what helpers that use liblxc share. Requests hold "name" and
 * "lxcpath". */
#pragma once
#include "base/json.h"

struct lxc_container;

/* What the first process of a container starts with, whatever ours is. */
#define INSIDE_UMASK 022

/* With the environment that liblxc needs; free with lxc_container_put. */
struct lxc_container *helper_lxc_open(const json_t *request, struct err *err);
/* Size of the container's lxc.log before a call, and the first error written since; the caller
 * frees. */
int64_t helper_lxc_log_size(const json_t *request);
char *helper_lxc_cause(const json_t *request, int64_t from);
