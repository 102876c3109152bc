/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/member.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/defaults.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"

/* --- checks ----------------------------------------------------------------------------------- */

int member_check_name(const char *name, struct err *err)
{
	if (str_is_hostname(name) && !str_eq(name, "none"))
		return 0;
	return err_set(
		err, ERR_INVALID,
		"member name \"%.70s\": 1 to 63 letters, digits and hyphens are needed, a letter "
		"first",
		name ? name : "");
}

int member_check_address(const char *address, struct err *err)
{
	char host[ADDRESS_SIZE], port[8];

	if (address_split(address ? address : "", host, sizeof(host), port, err) < 0)
		return err_wrap(err, "cluster address: HOST:PORT is needed");
	if (str_eq(port, "0") || strlen(address) >= ADDRESS_SIZE)
		return err_set(err, ERR_INVALID, "cluster address \"%.100s\": HOST:PORT is needed",
			       address);
	if (address_text_is_any(address))
		return err_set(err, ERR_INVALID,
			       "cluster address \"%s\": other members cannot reach a wildcard; "
			       "name one address of this host",
			       address);
	return 0;
}

const char *member_architecture(void)
{
	static const char *const known[] = { "x86_64",  "aarch64", "i686", "armv7l",
					     "ppc64le", "riscv64", "s390x" };
	struct utsname u;

	uname(&u);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (str_eq(u.machine, known[i]))
			return known[i];
	}
	return "unknown";
}

/* --- rows ------------------------------------------------------------------------------------- */

json_t *member_doc(const struct member_facts *m)
{
	char now[CLOCK_TEXT_SIZE];

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:{},s:[s],s:s,s:i,s:s}", "uuid", m->uuid,
			 "name", m->name, "address", m->address, "fingerprint", m->fingerprint,
			 "architecture", m->architecture, "failure_domain", DOMAIN_DEFAULT,
			 "description", "", "config", "groups", GROUP_DEFAULT, "created_at",
			 clock_now_text(now), "raft_id", 0, "role", "none");
}

json_t *member_certificate_doc(const char *name, const char *cert_pem, const char *fingerprint)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:b,s:[]}", "name", name, "type", "server",
			 "certificate", cert_pem, "fingerprint", fingerprint, "restricted", 0,
			 "projects");
}
