/* SPDX-License-Identifier: Apache-2.0 */
/* silence_private - what silence.c shows to silence_store.c. */
#ifndef BELFRY_EXPORTERS_SILENCE_PRIVATE_H
#define BELFRY_EXPORTERS_SILENCE_PRIVATE_H

#include "exporters/silence.h"

#define MATCHERS_PER_SILENCE 64u
#define SILENCE_ID_LEN       36u

/* A silence with neither id nor place in the set; everything is checked and copied. */
int silence_make(struct silence **out, const struct silence_view *v, struct err *e) MUST_CHECK;
void silence_add(struct silence_set *s, struct silence *take);
void silence_free(struct silence *x);
/* The blob of a row: at most MATCHERS_PER_SILENCE, views into it. False when it is damaged. */
bool silence_read_matchers(struct str blob, struct silence_matcher *v, size_t *n);

#endif
