/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/where.h - what the rows say of a request: who asks, and which member must answer. */
#pragma once
#include "api/http/server.h"

extern const struct server_hooks api_hooks;
