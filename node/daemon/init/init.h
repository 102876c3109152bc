/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/init/init.h - `dunlind init`: a host's first configuration, or its joining a
 * cluster. */
#pragma once

int init_main(int argc, char **argv); /* exit status */
