/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonr - a pull reader for JSON from hostile senders: no tree, so that a body costs no more memory
 * than what its reader keeps.
 *
 * The reader asks for what it expects; anything else, and text that is no JSON (RFC 8259), fails.
 * Failure is sticky: every call then returns false and the loops below end, so that a reader checks
 * j->failed once, at its end; the error holds the place in bytes. Strings are views of the text
 * where they stand unescaped, else copies in the arena; what is no UTF-8, and half a surrogate
 * pair, becomes U+FFFD, as in Go. Nesting is bounded by JSONR_DEPTH.
 *
 *   jsonr_object(&j);
 *   while (jsonr_key(&j, &key)) {
 *       if (str_eq(key, STR("name")))
 *           jsonr_str(&j, &name);
 *       else
 *           jsonr_skip(&j);
 *   }
 */
#ifndef BELFRY_BASE_JSONR_H
#define BELFRY_BASE_JSONR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define JSONR_DEPTH 64u

enum jsonr_kind {
	JSONR_NONE, /* the end of the text, or no JSON */
	JSONR_NULL,
	JSONR_BOOL,
	JSONR_NUMBER,
	JSONR_STRING,
	JSONR_ARRAY,
	JSONR_OBJECT
};

struct jsonr {
	struct str s;
	size_t i;
	struct arena *a;
	struct err *e;
	uint64_t later; /* a bit per depth: a value stood already */
	unsigned depth;
	bool failed;
};

/* text and e are borrowed as long as the reader is used. */
void jsonr_init(struct jsonr *j, struct str text, struct arena *a, struct err *e);
/* What stands next, without taking it. */
enum jsonr_kind jsonr_peek(struct jsonr *j);
const char *jsonr_kind_name(enum jsonr_kind k);
/* Fail with a text of the reader's own, at the place reached. False. */
bool jsonr_fail(struct jsonr *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool jsonr_object(struct jsonr *j);               /* takes the { */
bool jsonr_key(struct jsonr *j, struct str *key); /* the next member's, or takes the } */
bool jsonr_array(struct jsonr *j);                /* takes the [ */
bool jsonr_item(struct jsonr *j);                 /* another item follows, or takes the ] */
bool jsonr_null(struct jsonr *j); /* takes a null when one stands here; never fails */
bool jsonr_str(struct jsonr *j, struct str *out);
bool jsonr_bool(struct jsonr *j, bool *out);
bool jsonr_f64(struct jsonr *j, double *out);
/* Any value, checked. */
bool jsonr_skip(struct jsonr *j);
/* Any value, checked: its text as it stands. */
bool jsonr_raw(struct jsonr *j, struct str *out);
/* Nothing failed and only white space is left. */
bool jsonr_end(struct jsonr *j);

#endif
