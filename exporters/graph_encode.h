/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_encode - an image as a PNG with a palette: a third of what 24 bits a pixel take for a
 * drawing of few colours, and mails are read on phones.
 */
#ifndef BELFRY_EXPORTERS_GRAPH_ENCODE_H
#define BELFRY_EXPORTERS_GRAPH_ENCODE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Pixels as 0x00RRGGBB in host order, `stride` bytes a row. Colours beyond 112 become the nearest
 * kept ones. */
int graph_encode_png(const unsigned char *pixels, unsigned width, unsigned height, size_t stride,
	struct buf *out, struct err *e) MUST_CHECK;

#endif
