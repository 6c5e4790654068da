/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels - a sorted label set: the identity of a series and of an alert.
 *
 * Invariants of a finished set: names ascending in byte order, none twice, no empty value.
 * A set is a borrowed view (array and bytes belong to an arena or to its builder).
 */
#ifndef BELFRY_BASE_LABELS_H
#define BELFRY_BASE_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct label {
	struct str name;
	struct str value;
};

struct labels {
	const struct label *v;
	size_t n;
};

#define LABEL_NAME STR("__name__")

/* The value of a label, or an empty string when absent. */
struct str labels_get(struct labels ls, struct str name);
bool labels_eq(struct labels a, struct labels b);
/* Order of Prometheus's results: label by label, name then value, the shorter set first. */
int labels_cmp(struct labels a, struct labels b);
/* Seeded, for tables of this process. */
uint64_t labels_hash(struct labels ls);
/* The same hash built label by label from h = 0 and the hash_str() of name and value, for tables
 * that keep the hashes of their strings. */
static inline uint64_t labels_hash_mix(uint64_t h, uint64_t name_hash, uint64_t value_hash)
{
	h = (h ^ name_hash) * UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 32;
	h = (h ^ value_hash) * UINT64_C(0xc2b2ae3d27d4eb4f);
	return h ^ (h >> 29);
}
/* Seeded hash and equality over only (or without) the given sorted names. */
uint64_t labels_hash_on(struct labels ls, const struct str *names, size_t n);
uint64_t labels_hash_without(struct labels ls, const struct str *names, size_t n);
/* Alertmanager's identity: FNV-1a 64 over name 0xff value 0xff (reference notify.md D2). */
uint64_t labels_fingerprint(struct labels ls);
/* Deep copy; v is NULL and n 0 on refusal (check a->failed). */
struct labels labels_copy(struct arena *a, struct labels ls);
/* Deep copy in one malloc'ed block: labels_unclone frees it. Aborts without memory: bound the
 * number of sets yourself. */
struct labels labels_clone(struct labels ls);
void labels_unclone(struct labels ls);
/* Sort an array in place, drop empty values; returns false when a name stands twice. */
bool labels_sort(struct label *v, size_t *n);
/* {a="b", c="d"}; with metric_name the name stands before the braces: up{job="x"}. */
void labels_print(struct buf *b, struct labels ls, bool metric_name);
/* "..." with \\ \" \n escaped, as in PromQL and the exposition formats. */
void labels_print_value(struct buf *b, struct str v);
/* Legacy names ([a-zA-Z_][a-zA-Z0-9_]*; ':' too for metrics). */
bool label_name_is_legacy(struct str s);
bool metric_name_is_legacy(struct str s);
/* A set as stored and sent may be: sorted, bounded (limits.h), valid UTF-8, a metric name if asked.
 */
int labels_check(struct labels ls, bool need_name, struct err *e) MUST_CHECK;

/* Builder: a base set with changes; the result is sorted. Memory from the arena. */
struct labels_builder {
	struct arena *a;
	struct label *v;
	size_t n, cap;
};
void labels_builder_init(struct labels_builder *b, struct arena *a, struct labels base);
/* Set, or delete when value is empty. Strings are borrowed, not copied. */
void labels_builder_set(struct labels_builder *b, struct str name, struct str value);
void labels_builder_del(struct labels_builder *b, struct str name);
struct str labels_builder_get(const struct labels_builder *b, struct str name);
struct labels labels_builder_done(struct labels_builder *b);

#endif
