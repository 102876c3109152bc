/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/feed/follow.h - a member's side of the feed: finds the leader, keeps the replica current.
 *
 * One thread. It connects to whoever leads, says what its replica has and applies what comes; own
 * facts and events go up. When the leader is silent for SILENCE_MS or leaves it looks for the next
 * one. It rests while this member leads.
 */
#pragma once
#include "cluster/self/state.h"

struct follow *follow_new(struct cluster *c);
int follow_start(struct follow *f, struct err *err);
void follow_stop(struct follow *f);
void follow_free(struct follow *f);

void follow_wake(struct follow *f); /* own facts, who leads, or something else changed */
/* Resting: nothing from an earlier leader is applied after this returns. */
void follow_rest(struct follow *f, bool on);
void follow_event(struct follow *f, const char *text);
/* How long it pauses on average after so many attempts in a row that led to no feed. */
int follow_pause_ms(unsigned failed);
