/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/row.h"

#include <assert.h>
#include <stdlib.h>

void row_free(struct row *r)
{
	free(r->key);
	json_decref(r->doc);
	*r = (struct row){ 0 };
}

void rows_free(struct rows *r)
{
	assert(r->v || !r->n);
	for (size_t i = 0; i < r->n; i++)
		row_free(&r->v[i]);
	free(r->v);
	*r = (struct rows){ 0 };
}
