/* SPDX-License-Identifier: Apache-2.0 */
/* assert - reports a broken invariant with a backtrace and aborts; see assert.h. */
#include "base/assert.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/role.h"

static _Thread_local const char *context;

void assert_context(const char *what)
{
	context = what;
}

void assert_fail(const char *cond, const char *file, int line, const char *func)
{
	void *frames[48];
	int n = backtrace(frames, 48);

	(void)fprintf(stderr,
		"level=fatal msg=\"assertion failed: %s\" at=%s:%d func=%s role=%s doing=\"%s\"\n",
		cond, file, line, func, role_name(), context != NULL ? context : "");
	backtrace_symbols_fd(frames, n, STDERR_FILENO);
	abort();
}
