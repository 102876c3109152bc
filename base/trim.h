/* SPDX-License-Identifier: Apache-2.0 */
/* base/trim.h - memory that the process does not use at present, back to the system. */
#pragma once

/* Free heap pages, and pages of programs and libraries that only a past task needed (most of them
 * the start); what is needed again comes back from the page cache. For now and then. */
void mem_give_back(void);
