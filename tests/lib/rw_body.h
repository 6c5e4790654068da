/* SPDX-License-Identifier: Apache-2.0 */
/* rw_body - writes remote write bodies for tests and benchmarks, field by field. */
#ifndef BELFRY_TESTS_LIB_RW_BODY_H
#define BELFRY_TESTS_LIB_RW_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct buf fresh(void);
void put_len(struct buf *b, unsigned field, struct str s);
void put_int(struct buf *b, unsigned field, int64_t v);
void put_f64(struct buf *b, unsigned field, double v);
/* Puts the message and frees it. */
void put_msg(struct buf *to, unsigned field, struct buf *msg);
/* Members of a 1.0 series. start 0: none (2.0 only). */
void put_label(struct buf *to, const char *name, const char *value);
void put_sample(struct buf *to, double v, int64_t t, int64_t start);
/* An integer histogram (packed deltas) or a float one (counts one by one). */
struct buf put_histogram(bool is_int, int64_t start);
/* Snappy's block format. */
struct buf snappy_of(struct str body);

#endif
