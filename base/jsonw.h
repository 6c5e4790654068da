/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonw - a streaming JSON writer into a buf (reading is jansson's work, bounded by its callers).
 *
 * The writer puts commas itself. Invalid UTF-8 in a string becomes U+FFFD. Depth <= 32.
 */
#ifndef BELFRY_BASE_JSONW_H
#define BELFRY_BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/labels.h"
#include "base/str.h"

struct jsonw {
	struct buf *b;
	uint32_t comma; /* bit per depth: a value stands already */
	uint8_t depth;
	bool after_key;
};

void jsonw_init(struct jsonw *j, struct buf *b);
void jsonw_object(struct jsonw *j);
void jsonw_object_end(struct jsonw *j);
void jsonw_array(struct jsonw *j);
void jsonw_array_end(struct jsonw *j);
void jsonw_key(struct jsonw *j, const char *key);
void jsonw_key_str(struct jsonw *j, struct str key);
void jsonw_str(struct jsonw *j, struct str s);
void jsonw_c(struct jsonw *j, const char *s);
void jsonw_bool(struct jsonw *j, bool v);
void jsonw_i64(struct jsonw *j, int64_t v);
void jsonw_f64(struct jsonw *j, double v);     /* shortest; NaN and infinities as null */
void jsonw_f64_str(struct jsonw *j, double v); /* "1.5", "NaN", "+Inf": Prometheus sample values */
void jsonw_null(struct jsonw *j);
void jsonw_raw(struct jsonw *j, struct str text);     /* already JSON */
void jsonw_labels(struct jsonw *j, struct labels ls); /* {"a":"b"} */
void jsonw_time(struct jsonw *j, int64_t ms);         /* seconds as a number: f64_print_time */
void jsonw_rfc3339(struct jsonw *j, int64_t ms);
/* key and value at once */
void jsonw_kv_str(struct jsonw *j, const char *key, struct str s);
void jsonw_kv_c(struct jsonw *j, const char *key, const char *s);
void jsonw_kv_i64(struct jsonw *j, const char *key, int64_t v);
void jsonw_kv_f64(struct jsonw *j, const char *key, double v);
void jsonw_kv_bool(struct jsonw *j, const char *key, bool v);
/* The string body without quotes, escaped: for hand-made JSON. */
void jsonw_escape(struct buf *b, struct str s);

#endif
