/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/model/state.h - what the row of an instance says of it: its state, and whether it shall
 * run. Pure: works on the document of a row.
 *
 *   creating --> ready <--> renaming      renaming: on disk, by its old or its new name
 *      |         ^ |  ^         |
 *      |         | |  |         v         moving: renamed, for a move that is not committed;
 *      +-> deleting   +------ moving              its commit, and calling it off, make it ready
 *            ^   |
 *            |   v                        restoring: as it was, or as a snapshot says
 *          restoring
 *
 * A row in any state but ready belongs to a job of its member. When that was cut off, recovery of
 * the member settles it as the table of jobs says for that state (api/work/job.def); only a
 * deletion may be asked for again.
 */
#pragma once
#include "base/err.h"
#include "base/json.h"

enum inst_state {
#define INST_STATE(id, word, next, second, told) INST_##id,
#include "cluster/model/state.def"
#undef INST_STATE
	INST_FOREIGN /* a word of a later release: nothing may be done with it */
};

/* A row without a state is ready. */
enum inst_state inst_state(const json_t *doc);
bool inst_may_become(enum inst_state from, enum inst_state to);
/* Writes the state, and the second name of one that has it. ERR_CONFLICT, and an untouched row,
 * when the row's state may not become this one. */
int inst_become(json_t *doc, enum inst_state to, const char *second_name, struct err *err);
/* The other name that is this instance's until its job ends, borrowed; NULL: there is none. */
const char *inst_second_name(const json_t *doc);
/* The same of one that is being moved; "" for any other. */
const char *inst_moved_from(const json_t *doc);
/* "it is being created" */
const char *inst_state_told(enum inst_state s);

/* The state of a new row, which does not run. */
void inst_begin(json_t *doc);
/* Whether it shall run: what the row says, and volatile.last_state.power and last_used_at with
 * it. */
bool inst_shall_run(const json_t *doc);
void inst_set_power(json_t *doc, bool on);
/* It is stopped, and its member keeps its memory: what LXD calls stateful. */
bool inst_is_suspended(const json_t *doc);
void inst_set_suspended(json_t *doc, bool on);
