/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_remote_write - bodies after snappy: the first byte picks the version, the rest is decoded
 * by the wire walk and by protobuf-c, which must agree on whatever we take.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "tests/lib/rw_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	hash_init();
	if (size > 0 && size <= 65536)
		(void)rw_compare(data[0] % 2 + 1, str_n((const char *)data + 1, size - 1));
	return 0;
}
