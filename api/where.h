/* SPDX-License-Identifier: Apache-2.0 */
/* api/where.h - what the rows say of a request: who asks, and which member must answer. */
#pragma once
#include "api/server.h"

extern const struct server_hooks api_hooks;
