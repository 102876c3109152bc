/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/renew.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/member/member.h"
#include "cluster/member/rotate.h"

#define LOOK_MS 3600000
#define AGAIN_MS 5000 /* after a start the leader is not known yet, or something failed */

enum renew renew_of(const struct x509_info *info, int64_t now)
{
	if (now < info->not_before)
		return RENEW_EARLY;
	if (info->not_after - now > RENEW_DAYS * 86400LL)
		return RENEW_FINE;
	return now > info->not_after ? RENEW_OVER : RENEW_SOON;
}

static bool is_due(const char *what, const char *pem)
{
	struct x509_info info;
	char text[CLOCK_TEXT_SIZE];
	struct err err;

	if (x509_describe(pem, &info, &err) < 0) {
		log_err(LOG_WARN, what, &err);
		return false;
	}
	switch (renew_of(&info, clock_wall())) {
	case RENEW_FINE:
		return false;
	case RENEW_EARLY:
		log_warn("a certificate is not valid yet: is this host's clock right?",
			 "certificate", what, "from",
			 clock_text(info.not_before * 1000000000LL, text));
		return false;
	case RENEW_SOON:
		log_warn("a certificate expires soon", "certificate", what, "until",
			 clock_text(info.not_after * 1000000000LL, text));
		break;
	case RENEW_OVER:
		log_warn("a certificate has expired", "certificate", what, "until",
			 clock_text(info.not_after * 1000000000LL, text));
		break;
	}
	return true;
}

/* Remotes that pinned the old one have to accept the new one: the old one would be refused. */
static int renew_server(struct cluster *c, struct err *err)
{
	_free_ char *cert = NULL;

	if (creds_stage(c->dir, cluster_member_name(c), &cert, err) < 0 ||
	    creds_promote(c->dir, err) < 0 || cluster_reload_creds(c, err) < 0)
		return -1;
	log_warn("this server has a new certificate; clients: dunlin remote accept NAME",
		 "fingerprint", cluster_fingerprint(c));
	return 0;
}

static char *shown_certificate(struct cluster *c)
{
	char *pem;

	pthread_mutex_lock(&c->lock);
	pem = xstrdup(c->creds.cluster_cert);
	pthread_mutex_unlock(&c->lock);
	return pem;
}

/* 0 when there is nothing more to do. */
static int look(struct cluster *c, struct err *err)
{
	_free_ char *pem = shown_certificate(c);
	bool enabled = cluster_enabled(c);

	if (!is_due(enabled ? "cluster.crt" : "server.crt", pem))
		return 0;
	return enabled ? rotate_renew(c, err) : renew_server(c, err);
}

void renew_run(struct cluster *c, int64_t *next_ms)
{
	struct err err = { 0 };

	/* Joining and enabling write the same files. */
	if (clock_ms() < *next_ms || pthread_mutex_trylock(&c->change_lock) != 0)
		return;
	*next_ms = deadline_in(LOOK_MS);
	if (!cluster_is_removed(c) && !cluster_stopping(c) && look(c, &err) < 0) {
		log_err(LOG_WARN, "renew a certificate", &err);
		*next_ms = deadline_in(AGAIN_MS);
	}
	pthread_mutex_unlock(&c->change_lock);
}
