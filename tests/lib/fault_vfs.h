/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_vfs - SQLite's default VFS with faults: the n-th write, sync, truncate or create fails.
 *
 * Install once, before the first connection. Counting is global and safe in threads.
 */
#ifndef BELFRY_TESTS_LIB_FAULT_VFS_H
#define BELFRY_TESTS_LIB_FAULT_VFS_H

#include <stdbool.h>

void fault_vfs_install(void);
/* From now on the n-th operation (1 = the next) fails with code (SQLITE_FULL, SQLITE_IOERR_WRITE,
 * ...); persistent: and all after it. n = 0: no faults. The count starts anew. */
void fault_vfs_arm(long n, int code, bool persistent);
/* Operations since the last arming. */
long fault_vfs_count(void);
/* Did a fault happen since the last arming? */
bool fault_vfs_hit(void);

#endif
