/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clean - text from labels, annotations and templates made fit for messages, before any format's
 * own escaping.
 *
 * Label values are hostile: control bytes (0x01 is the outbox's mark, exporters/graph.h), line
 * breaks that forge lines and headers, marks that turn the direction of writing, bytes that are no
 * UTF-8, a megabyte of anything.
 */
#ifndef BELFRY_EXPORTERS_CLEAN_H
#define BELFRY_EXPORTERS_CLEAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

enum clean_how {
	CLEAN_ONE_LINE, /* runs of white space, line breaks too, become one blank */
	CLEAN_LINES     /* line breaks (as \n) and tabs stay */
};

/* s appended to b: control characters become blanks, directional marks, other invisible format
 * characters and U+2028/9 vanish, what is no UTF-8 becomes U+FFFD. At most max bytes of it: the
 * cut falls between characters and is marked by "…" (within max). */
void clean_text(struct buf *b, struct str s, size_t max, enum clean_how how);
/* The longest prefix of at most max bytes that ends between two characters. */
struct str clean_prefix(struct str s, size_t max);

#endif
