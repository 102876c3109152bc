/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/elsewhere.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

struct elsewhere {
	pthread_mutex_t lock;
	unsigned next;
	struct {
		char id[UUID_SIZE], member[64];
	} ring[ELSEWHERE_MAX];
};

struct elsewhere *elsewhere_new(void)
{
	struct elsewhere *e = xnew(struct elsewhere);

	pthread_mutex_init(&e->lock, NULL);
	return e;
}

void elsewhere_free(struct elsewhere *e)
{
	pthread_mutex_destroy(&e->lock);
	free(e);
}

void elsewhere_note(struct elsewhere *e, const char *operation_id, const char *member)
{
	if (!str_is_uuid(operation_id))
		return;
	pthread_mutex_lock(&e->lock);
	str_copy(e->ring[e->next].id, sizeof(e->ring[0].id), operation_id);
	str_copy(e->ring[e->next].member, sizeof(e->ring[0].member), member);
	e->next = (e->next + 1) % ELSEWHERE_MAX;
	pthread_mutex_unlock(&e->lock);
}

bool elsewhere_find(struct elsewhere *e, const char *operation_id, char ret_member[64])
{
	bool found = false;

	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < ELSEWHERE_MAX && !found; i++) {
		found = *operation_id && strcmp(e->ring[i].id, operation_id) == 0;
		if (found)
			str_copy(ret_member, 64, e->ring[i].member);
	}
	pthread_mutex_unlock(&e->lock);
	return found;
}
