/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex_set - the finite set of strings a simple pattern matches, worked out without an engine:
 * literals, alternations, groups, small ASCII classes. Part of regex.c.
 */
#ifndef BELFRY_BASE_REGEX_SET_H
#define BELFRY_BASE_REGEX_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

#define REGEX_SET_MAX 1024u /* strings in one set: beyond that, RE2 is as good */

/* All strings the pattern matches, sorted and without duplicates, in the arena. False when it is
 * not such a pattern or the set is larger than REGEX_SET_MAX. A true also says that the pattern
 * is valid. *groups counts capturing groups. */
bool regex_set(struct arena *a, struct str pattern, struct str **v, size_t *n, size_t *groups);

/* The longest literal that every match of the pattern begins with; may be empty. */
struct str regex_set_prefix(struct arena *a, struct str pattern);

#endif
