/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - a document as a tree of nodes with positions (libyaml's events, YAML 1.1).
 *
 * Bounded: LIMIT_YAML_BYTES, LIMIT_YAML_DEPTH, LIMIT_YAML_NODES. Duplicate keys are errors.
 * Anchors and aliases are resolved by reference, never expanded (an alias is the node itself; a
 * cycle is refused); merge keys (<<) are honoured as Prometheus's library does. Everything lives in
 * the caller's arena; immutable.
 */
#ifndef BELFRY_BASE_YAML_H
#define BELFRY_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/str.h"

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_SEQ, YAML_MAP };

struct yaml_node;
struct yaml_pair {
	const struct yaml_node *key; /* always a scalar */
	const struct yaml_node *value;
};

struct yaml_node {
	enum yaml_kind kind;
	bool quoted; /* scalar in quotes or a block scalar: a string whatever it looks like */
	bool block;  /* | or > scalar: columns inside are found with yaml_scalar_pos */
	struct diag_pos pos;
	struct str scalar; /* YAML_SCALAR and YAML_NULL (its text: "", "~", "null") */
	const struct yaml_node *const *items; /* YAML_SEQ */
	const struct yaml_pair *pairs;        /* YAML_MAP, in file order */
	size_t n;                             /* items or pairs */
};

/* The documents of a file (usually one); NULL when there are syntax errors, told in d. An empty
 * file gives n = 0 and a non-NULL pointer. */
const struct yaml_node *const *yaml_parse(
	struct arena *a, const struct diag_file *file, struct diag *d, size_t *n);
/* Value of a key, or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *map, struct str key);
/* Where byte `off` of a scalar's content stands in the file, also inside quotes and block scalars.
 */
struct diag_pos yaml_scalar_pos(const struct yaml_node *scalar, size_t off, unsigned len);
/* Scalars as YAML 1.1 core types; false when it is not one. */
bool yaml_to_bool(const struct yaml_node *n, bool *out);

#endif
