/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - a streaming JSON writer into a buf (reading is jansson's work, bounded by its callers).
 *
 * The writer puts commas itself. Invalid UTF-8 in a string becomes U+FFFD. Depth <= 32.
 */
#ifndef BELFRY_BASE_JSON_H
#define BELFRY_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/labels.h"
#include "base/str.h"

struct json {
	struct buf *b;
	uint32_t comma; /* bit per depth: a value stands already */
	uint8_t depth;
	bool after_key;
};

void json_init(struct json *j, struct buf *b);
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);
void json_key_str(struct json *j, struct str key);
void json_str(struct json *j, struct str s);
void json_c(struct json *j, const char *s);
void json_bool(struct json *j, bool v);
void json_i64(struct json *j, int64_t v);
void json_f64(struct json *j, double v);     /* shortest; NaN and infinities as null */
void json_f64_str(struct json *j, double v); /* "1.5", "NaN", "+Inf": Prometheus sample values */
void json_null(struct json *j);
void json_raw(struct json *j, struct str text);     /* already JSON */
void json_labels(struct json *j, struct labels ls); /* {"a":"b"} */
void json_time(struct json *j, int64_t ms);         /* seconds as a number: f64_print_time */
void json_rfc3339(struct json *j, int64_t ms);
/* key and value at once */
void json_kv_str(struct json *j, const char *key, struct str s);
void json_kv_c(struct json *j, const char *key, const char *s);
void json_kv_i64(struct json *j, const char *key, int64_t v);
void json_kv_f64(struct json *j, const char *key, double v);
void json_kv_bool(struct json *j, const char *key, bool v);
/* The string body without quotes, escaped: for hand-made JSON. */
void json_escape(struct buf *b, struct str s);

#endif
