/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/lxc_query.h"

#include <lxc/lxccontainer.h>

const char *lxc_query_version(void)
{
	return lxc_get_version();
}
