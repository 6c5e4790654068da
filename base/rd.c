/* SPDX-License-Identifier: Apache-2.0 */
/* rd - the cursor reads fixed-width fields with memcpy, which is right on little endian only. */
#include "base/rd.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored formats are little endian");
