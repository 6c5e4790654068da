/* SPDX-License-Identifier: Apache-2.0 */
/* fault_vfs - a VFS that passes everything through, counts what writes, and fails on order. */
#include "tests/lib/fault_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct in the same allocation */
};

static sqlite3_vfs vfs, *real_vfs;
static sqlite3_io_methods methods;
static _Atomic long count, fail_at;
static _Atomic int fail_code;
static _Atomic bool fail_on, was_hit;

void fault_vfs_arm(long n, int code, bool persistent)
{
	atomic_store(&fail_at, 0);
	atomic_store(&count, 0);
	atomic_store(&was_hit, false);
	atomic_store(&fail_code, code);
	atomic_store(&fail_on, persistent);
	atomic_store(&fail_at, n);
}

long fault_vfs_count(void)
{
	return atomic_load(&count);
}

bool fault_vfs_hit(void)
{
	return atomic_load(&was_hit);
}

static bool fails(void)
{
	long n = atomic_fetch_add(&count, 1) + 1, at = atomic_load(&fail_at);

	if (at == 0 || n < at || (n > at && !atomic_load(&fail_on)))
		return false;
	atomic_store(&was_hit, true);
	return true;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct fault_file *)(void *)f)->real;
}

static int on_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int on_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int on_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (fails())
		return atomic_load(&fail_code);
	return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (fails())
		return SQLITE_IOERR_TRUNCATE;
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
	if (fails())
		return SQLITE_IOERR_FSYNC;
	return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int on_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int on_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int on_device(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int on_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void on_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int on_shm_unmap(sqlite3_file *f, int delete)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), delete);
}

static int on_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct fault_file *x = (void *)f;
	int rc;

	(void)v;
	x->base.pMethods = NULL;
	if ((flags & SQLITE_OPEN_CREATE) && fails())
		return SQLITE_CANTOPEN;
	x->real = (sqlite3_file *)(void *)(x + 1);
	rc = real_vfs->xOpen(real_vfs, name, x->real, flags, out);
	if (x->real->pMethods != NULL)
		x->base.pMethods = &methods;
	return rc;
}

void fault_vfs_install(void)
{
	if (real_vfs != NULL)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	if (real_vfs == NULL)
		abort();
	vfs = *real_vfs; /* its other functions take whatever sqlite3_vfs they get */
	vfs.zName = "fault";
	vfs.pNext = NULL;
	vfs.szOsFile = real_vfs->szOsFile + (int)sizeof(struct fault_file);
	vfs.xOpen = on_open;
	methods = (sqlite3_io_methods){.iVersion = 2,
		.xClose = on_close,
		.xRead = on_read,
		.xWrite = on_write,
		.xTruncate = on_truncate,
		.xSync = on_sync,
		.xFileSize = on_size,
		.xLock = on_lock,
		.xUnlock = on_unlock,
		.xCheckReservedLock = on_reserved,
		.xFileControl = on_control,
		.xSectorSize = on_sector,
		.xDeviceCharacteristics = on_device,
		.xShmMap = on_shm_map,
		.xShmLock = on_shm_lock,
		.xShmBarrier = on_shm_barrier,
		.xShmUnmap = on_shm_unmap};
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}
