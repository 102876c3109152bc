/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/project.h"

#include "base/str.h"
#include "cluster/model/ref.h"

int project_check(const struct api_env *env, const char *name, struct err *err)
{
	if (str_eq(name, PROJECT_DEFAULT))
		return 0;
	return err_set(err, ERR_ELSEWHERE,
		       "Project not found: \"%.64s\"; there is only the project \"%s\"", name,
		       PROJECT_DEFAULT);
}
