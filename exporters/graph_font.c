/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_font - letters as strokes on a grid: x 0..4, y 0 (top of capitals) 2 (of small letters)
 * 6 (base line) 8 (below). A glyph is its width and its strokes: points as two digits each, strokes
 * apart by a blank; a stroke that ends where it began at once is a dot.
 */
#include "exporters/graph_font.h"

#include "base/num.h"
#include "base/quote.h"

struct glyph {
	unsigned char width;
	const char *strokes;
};

/* clang-format off: a table to be read by eye */
static const struct glyph ascii[] = {
	{2, ""}, {0, "0004 0606"}, {2, "0001 2021"}, {4, "1016 3036 0242 0444"}, /*   ! " # */
	{4, "413010010213334445361605 2026"}, {4, "0640 0010110100 3545463635"}, /* $ % */
	{4, "460201102031320405162644"}, {0, "0001"}, {1, "10010516"},           /* & ' ( */
	{1, "00111506"}, {4, "2125 0244 0442"}, {4, "0444 2226"}, {0, "0607"},   /* ) * + , */
	{3, "0434"}, {0, "0606"}, {3, "0630"},                                   /* - . / */
	{4, "103041453616050110"}, {4, "112026 1636"}, {4, "01103041420646"},    /* 0 1 2 */
	{4, "0110304142334445361605 1333"}, {4, "36300444"}, {4, "400002324345361605"}, /* 3 4 5 */
	{4, "4130100105163645443303"}, {4, "004016"},                                   /* 6 7 */
	{4, "103041423313020110 1304051636454433"}, {4, "0516364541301001021343"},      /* 8 9 */
	{0, "0303 0606"}, {0, "0303 0607"}, {3, "320436"}, {3, "0333 0535"},           /* : ; < = */
	{3, "023406"}, {4, "01103041422324 2626"},                                     /* > ? */
	{4, "34321214344441301001051646"},                                             /* @ */
	{4, "062046 1434"}, {4, "00063645443303 0030414233"}, {4, "4130100105163645"}, /* A B C */
	{4, "00062644422000"}, {4, "40000646 0333"}, {4, "400006 0333"},               /* D E F */
	{4, "41301001051636454323"}, {4, "0006 4046 0343"}, {2, "0020 1016 0626"},     /* G H I */
	{4, "4045361605"}, {4, "0006 4004 1346"}, {4, "000646"}, {4, "0600234046"},    /* J K L M */
	{4, "06004640"}, {4, "103041453616050110"}, {4, "06003041423303"},             /* N O P */
	{4, "103041453616050110 2446"}, {4, "06003041423303 2346"},                    /* Q R */
	{4, "413010010213334445361605"}, {4, "0040 2026"}, {4, "000516364540"},        /* S T U */
	{4, "002640"}, {4, "0016233640"}, {4, "0046 4006"}, {4, "002340 2326"},        /* V W X Y */
	{4, "00400646"}, {1, "10000616"}, {3, "0036"}, {1, "00101606"},                /* Z [ \ ] */
	{4, "022042"}, {4, "0747"}, {1, "0011"},                                       /* ^ _ ` */
	{3, "3322120305162635 3236"}, {3, "0006 0312223335261605"},                    /* a b */
	{3, "3322120305162635"}, {3, "3036 3322120305162635"},                         /* c d */
	{3, "04343322120305162635"}, {3, "30201116 0222"},                             /* e f */
	{3, "3322120305162635 3237281807"}, {3, "0006 0312223336"}, {0, "0206 0000"},  /* g h i */
	{1, "121708 1010"}, {3, "0006 3205 1436"}, {1, "000516"},                      /* j k l */
	{4, "0206 03122326 23324346"}, {3, "0206 0312223336"},                         /* m n */
	{3, "122233352616050312"}, {3, "0208 0312223335261605"},                       /* o p */
	{3, "3238 3322120305162635"}, {2, "0206 031222"}, {3, "3212031424352606"},     /* q r s */
	{2, "101526 0222"}, {3, "0205162635 3236"}, {4, "022642"}, {4, "0216243642"},  /* t u v w */
	{3, "0236 3206"}, {3, "0205162635 3237281807"}, {3, "02320636"},               /* x y z */
	{2, "20111203141526"}, {0, "0007"}, {2, "00111223141506"}, {4, "04133443"},    /* { | } ~ */
};

static const struct {
	unsigned long rune;
	struct glyph glyph;
} signs[] = {
	{0xb0, {2, "1021120110"}},         /* degree */
	{0xb5, {3, "0208 05162635 3236"}}, /* micro */
	{0xb7, {0, "0404"}},               /* middle dot */
	{0x2026, {4, "0606 2626 4646"}},   /* ellipsis */
	{0x2192, {4, "0444 224426"}},      /* arrow */
};
/* clang-format on */

/* U+00C0..U+00FF without accents. */
static const char latin[] = "AAAAAAACEEEEIIIIDNOOOOOxOUUUUYPsaaaaaaaceeeeiiiidnooooo/ouuuuypy";

static const struct glyph *glyph_of(unsigned long c)
{
	_Static_assert(ARRAY_LEN(ascii) == 0x7f - 0x20, "one glyph each");
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (signs[i].rune == c)
			return &signs[i].glyph;
	}
	if (c == 0xa0 || c == 0x202f)
		c = ' ';
	if (c == 0x2013 || c == 0x2014 || c == 0x2212)
		c = '-';
	if (c >= 0xc0 && c <= 0xff)
		c = (unsigned char)latin[c - 0xc0];
	return c >= 0x20 && c < 0x7f ? &ascii[c - 0x20] : &ascii['?' - 0x20];
}

#define GAP 1.7 /* between letters, in units of the grid */

double graph_text_width(struct str s, double size)
{
	double width = 0;

	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned long c;

		n = quote_rune(str_sub(s, i, s.n), &c);
		width += glyph_of(c)->width + GAP;
	}
	return width > 0 ? (width - GAP) * size / 6 : 0;
}

static void draw(cairo_t *cr, double x, double y, double unit, const char *p)
{
	bool begin = true;

	for (; *p != '\0'; p++) {
		double px, py;

		if (*p == ' ') {
			begin = true;
			continue;
		}
		px = x + (p[0] - '0') * unit;
		py = y + (p[1] - '0' - 6) * unit;
		if (begin)
			cairo_move_to(cr, px, py);
		else
			cairo_line_to(cr, px, py);
		begin = false;
		p++;
	}
}

void graph_text(cairo_t *cr, double x, double y, double size, struct str s)
{
	double unit = size / 6;

	cairo_save(cr);
	cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
	cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
	cairo_set_dash(cr, NULL, 0, 0);
	cairo_set_line_width(cr, size * 0.15);
	for (size_t i = 0, n; i < s.n; i += n) {
		const struct glyph *g;
		unsigned long c;

		n = quote_rune(str_sub(s, i, s.n), &c);
		g = glyph_of(c);
		draw(cr, x, y, unit, g->strokes);
		x += (g->width + GAP) * unit;
	}
	cairo_stroke(cr);
	cairo_restore(cr);
}
