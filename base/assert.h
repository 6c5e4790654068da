/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert - checks of our own invariants, on in production.
 *
 * Never on anything that came from a socket, a file, a row or the configuration: those
 * return ERR_INPUT or ERR_CORRUPT. A failure prints the place, the thread's role and what
 * the thread said it was doing, and aborts: the service manager restarts a sound process.
 */
#ifndef BELFRY_BASE_ASSERT_H
#define BELFRY_BASE_ASSERT_H

#define ASSERT(cond)                                                                               \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			assert_fail(#cond, __FILE__, __LINE__, __func__);                          \
	} while (0)

void assert_fail(const char *cond, const char *file, int line, const char *func)
	__attribute__((noreturn, cold));

/* What this thread works on (a query, a target), printed by a failing assertion. `what` is
 * borrowed and must stay valid until the next call; NULL clears it. */
void assert_context(const char *what);

#endif
