/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matcher_index - which of many matcher lists (silences, sides of inhibition rules) match a label
 * set, without trying them all.
 *
 * A list is filed under one of its equality matchers (or under the strings of a regular expression
 * that is a set of strings, such as a|b); only lists without any are tried for every set. Items and
 * matchers are borrowed and must outlive the index; it is built anew when they change.
 */
#ifndef BELFRY_EXPORTERS_MATCHER_INDEX_H
#define BELFRY_EXPORTERS_MATCHER_INDEX_H

#include "base/map.h"
#include "base/matcher.h"

struct matcher_entry;

struct matcher_index {
	struct map by_value; /* hash of name and value -> struct matcher_entry */
	struct matcher_entry *all, *rest;
};

void matcher_index_init(struct matcher_index *x);
/* Frees what was added; may be filled again. */
void matcher_index_fini(struct matcher_index *x);
void matcher_index_add(struct matcher_index *x, const struct matcher *m, size_t n, void *item);
/* fn once for each item whose matchers all match. */
void matcher_index_find(const struct matcher_index *x, struct labels ls,
	void (*fn)(void *item, void *arg), void *arg);

#endif
