/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/project.h - the projects that there are. */
#pragma once
#include "api/work/env.h"

/* ERR_ELSEWHERE "Project not found" unless there is this one. */
int project_check(const struct api_env *env, const char *name, struct err *err);
