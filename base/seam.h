/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seam - what BELFRY_TEST=1 in the environment enables, and nothing else does.
 *
 * SEAM_CRASH("journal.committed") dies by SIGKILL at the n-th pass when BELFRY_CRASH_AT names
 * the point as NAME[:n]. The cost is one load of a static bool otherwise.
 */
#ifndef BELFRY_BASE_SEAM_H
#define BELFRY_BASE_SEAM_H

#include <stdbool.h>

extern bool seam_enabled; /* written by seam_init only, before threads start */

/* Reads BELFRY_TEST, BELFRY_CRASH_AT and BELFRY_CLOCK. Call once, first thing in main. */
void seam_init(void);
void seam_pass(const char *point);

#define SEAM_CRASH(point)                                                                          \
	do {                                                                                       \
		if (seam_enabled)                                                                  \
			seam_pass(point);                                                          \
	} while (0)

#endif
