/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_font - letters drawn as strokes, for graphs.
 *
 * Of its own, so that a picture needs no font file, no font cache that a locked-down service may
 * not write, and no font parser that reads what labels hold: ASCII, a few signs, and the letters of
 * Latin-1 without their accents; all else is a question mark.
 */
#ifndef BELFRY_EXPORTERS_GRAPH_FONT_H
#define BELFRY_EXPORTERS_GRAPH_FONT_H

#include <cairo.h>

#include "base/str.h"

/* Width of a text whose capital letters are `size` high. */
double graph_text_width(struct str s, double size);
/* Draws with the current colour; x, y is the left end of the base line. */
void graph_text(cairo_t *cr, double x, double y, double size, struct str s);

#endif
