/* SPDX-License-Identifier: Apache-2.0 */
/* version - the one object that is rebuilt when VERSION changes; see version.h. */
#include "base/version.h"

const char *version_string(void)
{
	return BELFRY_VERSION;
}
