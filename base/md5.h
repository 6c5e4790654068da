/* SPDX-License-Identifier: Apache-2.0 */
/*
 * md5 - the digest of RFC 1321, for what others compute with it (relabelling's hashmod). Not for
 * anything that must be secure.
 */
#ifndef BELFRY_BASE_MD5_H
#define BELFRY_BASE_MD5_H

#include <stdint.h>

#include "base/str.h"

#define MD5_BYTES 16u

/* Pure; s may be of any length. */
void md5(struct str s, uint8_t out[MD5_BYTES]);

#endif
