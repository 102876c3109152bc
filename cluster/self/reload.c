/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cluster/self/calls.h"
#include "cluster/self/state.h"

int cluster_reload_creds(struct cluster *c, struct err *err)
{
	struct creds fresh = { 0 }, old;
	struct identity id;

	cluster_self(c, &id);
	if (creds_load(c->dir, &id, &fresh, err) < 0)
		return -1;
	pthread_mutex_lock(&c->lock);
	old = c->creds;
	c->creds = fresh;
	pthread_mutex_unlock(&c->lock);
	cluster_show_identity(c);
	if (!str_eq(old.server_fp, fresh.server_fp))
		calls_reset(c->calls);
	if (c->o.certificate_changed)
		c->o.certificate_changed(c->o.arg);
	creds_free(&old);
	return 0;
}
