/* SPDX-License-Identifier: Apache-2.0 */
/* base/defaults.h - the names of what is always there, and is meant where nothing is named. They
 * are LXD's: clients know them, too.
 */
#pragma once

#define PROJECT_DEFAULT "default"
#define PROFILE_DEFAULT "default" /* each project has one, for instances and images */
#define GROUP_DEFAULT "default"   /* every member is in it */
#define DOMAIN_DEFAULT "default"  /* the failure domain of a member */
#define POOL_DEFAULT "default"    /* what "dunlind init --auto" makes */
