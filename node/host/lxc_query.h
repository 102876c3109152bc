/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/lxc_query.h - what the daemon itself asks of liblxc; everything else is asked by
 * helpers. */
#pragma once

const char *lxc_query_version(void);
