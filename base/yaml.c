/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - builds the node tree from libyaml's events; see yaml.h.
 *
 * The tree is built bottom-up on an explicit stack, so that depth is a number we compare and not
 * our own recursion. Finished children wait on a value stack until their collection ends.
 * An alias is a pointer to the anchored node; each node carries its expanded size and height, so
 * that aliases of aliases cannot make a walk over the tree longer than LIMIT_YAML_NODES.
 * libyaml counts characters, the places we tell count bytes: a cursor translates as we go.
 */
#include "base/yaml.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/yaml_private.h"

#define ANCHORS_MAX 4096u /* anchors of one file: looked up one by one */

#define MERGE_WORK_MAX 50000000u /* merging compares each key with each: tenths of a second */

struct anchor {
	struct str name;
	struct yaml_private *node;
};

struct frame {
	struct yaml_private *node;
	size_t base; /* its children on the value stack start here */
};

struct builder {
	struct arena *arena;
	const struct diag_file *file;
	struct diag *diag;
	yaml_parser_t parser;
	size_t nodes;      /* made so far */
	size_t merge_work; /* comparisons of keys that merging took */
	struct frame frames[LIMIT_YAML_DEPTH];
	unsigned depth;
	const struct yaml_node **values;
	size_t n_values, cap_values;
	struct anchor *anchors;
	size_t n_anchors, cap_anchors;
	/* the cursor: character index and its byte, line and line start */
	size_t at_char, at_byte, line_start;
	size_t bom; /* bytes of a byte order mark: the first character stands behind it */
	unsigned line;
	bool stopped; /* a limit was hit; it was told */
};

/* ---- places ---- */

/* Bytes before character `index`. Usually forward from the last one; marks rarely step back. */
static size_t byte_of(struct builder *b, size_t index)
{
	struct str text = b->file->text;

	if (index < b->at_char) {
		b->at_char = 0;
		b->at_byte = b->line_start = b->bom;
		b->line = 1;
	}
	while (b->at_char < index && b->at_byte < text.n) {
		if (text.p[b->at_byte] == '\n') {
			b->line++;
			b->line_start = b->at_byte + 1;
		}
		b->at_byte++;
		while (b->at_byte < text.n && ((unsigned char)text.p[b->at_byte] & 0xc0) == 0x80)
			b->at_byte++;
		b->at_char++;
	}
	return b->at_byte;
}

static struct diag_pos pos_of(struct builder *b, size_t index, size_t *byte)
{
	*byte = byte_of(b, index);
	return (struct diag_pos){b->file, b->line, (unsigned)(b->at_byte - b->line_start) + 1, 1};
}

static void stop(struct builder *b, struct diag_pos at, const char *what)
{
	if (!b->stopped)
		diag_error(b->diag, at, "%s", what);
	b->stopped = true;
}

/* ---- nodes ---- */

static bool grow(void **p, size_t *cap, size_t need, size_t elem)
{
	size_t want = MAX_OF(*cap * 2, (size_t)64);
	void *q;

	if (need <= *cap)
		return true;
	q = reallocarray(*p, want, elem);
	if (q == NULL)
		return false;
	*p = q;
	*cap = want;
	return true;
}

static struct yaml_private *node_new(struct builder *b, const yaml_event_t *ev)
{
	struct yaml_private *y;
	size_t from;
	struct diag_pos pos = pos_of(b, ev->start_mark.index, &from);

	if (++b->nodes > LIMIT_YAML_NODES) {
		stop(b, pos, "too many values in one file");
		return NULL;
	}
	y = ARENA_NEW(b->arena, struct yaml_private);
	if (y == NULL) {
		stop(b, pos, "too large: out of the memory a configuration may take");
		return NULL;
	}
	y->node.pos = pos;
	y->from = from;
	y->to = from;
	y->size = 1;
	y->height = 1;
	return y;
}

static bool push(struct builder *b, const struct yaml_node *n)
{
	void *p = b->values;

	if (!grow(&p, &b->cap_values, b->n_values + 1, sizeof(*b->values))) {
		stop(b, n->pos, "out of memory");
		return false;
	}
	b->values = p;
	b->values[b->n_values++] = n;
	return true;
}

static void anchor_set(struct builder *b, const yaml_char_t *name, struct yaml_private *y)
{
	void *p = b->anchors;

	if (name == NULL || b->stopped)
		return;
	if (b->n_anchors >= ANCHORS_MAX ||
		!grow(&p, &b->cap_anchors, b->n_anchors + 1, sizeof(*b->anchors))) {
		stop(b, y->node.pos, "too many anchors in one file");
		return;
	}
	b->anchors = p;
	b->anchors[b->n_anchors++] =
		(struct anchor){arena_str(b->arena, str_c((const char *)name)), y};
}

/* Only the core tags have a meaning here. True when the value is a string whatever it looks like.
 */
static bool tag_is_string(struct builder *b, const yaml_char_t *tag, struct diag_pos at)
{
	static const char *const known[] = {"int", "float", "bool", "null", "map", "seq"};
	struct str t = str_c((const char *)tag), core = STR("tag:yaml.org,2002:");

	if (tag == NULL)
		return false;
	if (str_eq(t, STR("!")))
		return true;
	if (str_starts(t, core)) {
		t = str_sub(t, core.n, t.n);
		if (str_eq(t, STR("str")))
			return true;
		for (size_t i = 0; i < ARRAY_LEN(known); i++) {
			if (str_eq(t, str_c(known[i])))
				return false;
		}
	}
	diag_error(b->diag, at, "tag \"" STR_FMT "\" has no meaning here", STR_ARG(t));
	return false;
}

static bool text_is_null(struct str s)
{
	return s.n == 0 || str_eq(s, STR("~")) || str_eq(s, STR("null")) ||
	       str_eq(s, STR("Null")) || str_eq(s, STR("NULL"));
}

/* A scalar with an anchor or a tag is marked from there; its own text starts behind them. */
static void skip_properties(struct builder *b, struct yaml_private *y)
{
	struct str text = b->file->text;
	size_t i = y->from;

	while (i < y->to && (text.p[i] == '&' || text.p[i] == '!')) {
		while (i < y->to && strchr(" \t\r\n", text.p[i]) == NULL)
			i++;
		while (i < y->to && strchr(" \t\r\n", text.p[i]) != NULL)
			y->node.pos.line += text.p[i++] == '\n';
	}
	y->from = i;
	while (i > 0 && text.p[i - 1] != '\n')
		i--;
	y->node.pos.col = (unsigned)(y->from - i) + 1;
}

static void on_scalar(struct builder *b, const yaml_event_t *ev)
{
	struct yaml_private *y = node_new(b, ev);
	struct str s = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
	yaml_scalar_style_t style = ev->data.scalar.style;
	bool string;

	if (y == NULL)
		return;
	y->to = byte_of(b, ev->end_mark.index);
	if (ev->data.scalar.anchor != NULL || ev->data.scalar.tag != NULL)
		skip_properties(b, y);
	y->node.pos.len = (unsigned)MAX_OF(y->to - MIN_OF(y->from, y->to), (size_t)1);
	string = tag_is_string(b, ev->data.scalar.tag, y->node.pos);
	y->node.block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
	y->node.quoted = style != YAML_PLAIN_SCALAR_STYLE || string;
	y->double_quoted = style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	y->node.kind = !y->node.quoted && text_is_null(s) ? YAML_NULL : YAML_SCALAR;
	y->node.scalar = arena_str(b->arena, s);
	if (y->node.scalar.p == NULL) {
		stop(b, y->node.pos, "too large: out of the memory a configuration may take");
		return;
	}
	anchor_set(b, ev->data.scalar.anchor, y);
	(void)push(b, &y->node); /* a refusal was told and stops the parse */
}

static void on_alias(struct builder *b, const yaml_event_t *ev)
{
	struct str name = str_c((const char *)ev->data.alias.anchor);
	size_t byte;
	struct diag_pos at = pos_of(b, ev->start_mark.index, &byte);

	at.len = (unsigned)name.n + 1;
	for (size_t i = b->n_anchors; i > 0; i--) { /* the latest of a name counts */
		struct yaml_private *y = b->anchors[i - 1].node;

		if (!str_eq(b->anchors[i - 1].name, name))
			continue;
		if (y->open)
			stop(b, at, "alias refers to a value that contains it");
		else
			(void)push(b, &y->node); /* a refusal was told and stops the parse */
		return;
	}
	diag_error(b->diag, at, "unknown alias \"" STR_FMT "\": no anchor &" STR_FMT " before it",
		STR_ARG(name), STR_ARG(name));
	b->stopped = true;
}

static void on_start(struct builder *b, const yaml_event_t *ev)
{
	bool map = ev->type == YAML_MAPPING_START_EVENT;
	struct yaml_private *y = node_new(b, ev);

	if (y == NULL)
		return;
	if (b->depth == LIMIT_YAML_DEPTH) {
		stop(b, y->node.pos, "nested too deeply");
		return;
	}
	y->node.kind = map ? YAML_MAP : YAML_SEQ;
	y->open = true;
	(void)tag_is_string(b, map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag,
		y->node.pos); /* told when unknown; no meaning for a collection */
	anchor_set(b, map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor, y);
	b->frames[b->depth++] = (struct frame){y, b->n_values};
}

/* ---- maps ---- */

static int pair_cmp(const void *a, const void *b)
{
	const struct yaml_pair *x = a, *y = b;
	int c = str_cmp(x->key->scalar, y->key->scalar);
	size_t xo = yaml_private(x->key)->from, yo = yaml_private(y->key)->from;

	return c != 0 ? c : xo < yo ? -1 : xo > yo;
}

/* Each key once. Sorted copy: a hostile file may have a map of a million keys. */
static void check_duplicates(struct builder *b, const struct yaml_pair *pairs, size_t n)
{
	struct yaml_pair *sorted;

	if (n < 2)
		return;
	sorted = reallocarray(NULL, n, sizeof *sorted);
	if (sorted == NULL) {
		stop(b, pairs[0].key->pos, "out of memory");
		return;
	}
	memcpy(sorted, pairs, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, pair_cmp);
	for (size_t i = 1; i < n; i++) {
		const struct yaml_node *key = sorted[i].key;

		if (str_eq(sorted[i - 1].key->scalar, key->scalar))
			diag_error(b->diag, key->pos,
				"key \"" STR_FMT "\" stands twice; first in line %u",
				STR_ARG(key->scalar), sorted[i - 1].key->pos.line);
	}
	free(sorted);
}

static bool is_merge(const struct yaml_node *key)
{
	return key->kind == YAML_SCALAR && !key->quoted && str_eq(key->scalar, STR("<<"));
}

/* How many pairs the maps behind "<<" bring at most; SIZE_MAX when they are no maps. */
static size_t merge_size(struct builder *b, const struct yaml_node *v)
{
	size_t sum = 0;

	if (v->kind == YAML_MAP)
		return v->n;
	if (v->kind == YAML_SEQ) {
		for (size_t i = 0; i < v->n; i++) {
			if (v->items[i]->kind != YAML_MAP)
				goto no_map;
			sum += v->items[i]->n;
		}
		return sum;
	}
no_map:
	diag_error(b->diag, v->pos, "\"<<\" merges maps; this is none");
	return SIZE_MAX;
}

/* Pairs of m whose key is not there yet. Quadratic in small maps only: sizes count as nodes. */
static size_t merge_one(struct yaml_pair *pairs, size_t n, const struct yaml_node *m)
{
	size_t before = n;

	for (size_t i = 0; i < m->n; i++) {
		bool have = false;

		for (size_t j = 0; j < before && !have; j++)
			have = str_eq(pairs[j].key->scalar, m->pairs[i].key->scalar);
		if (!have)
			pairs[n++] = m->pairs[i];
	}
	return n;
}

static void finish_map(
	struct builder *b, struct yaml_private *y, const struct yaml_node **kids, size_t n_kids)
{
	size_t n = 0, extra = 0, own;
	struct yaml_pair *pairs;

	for (size_t i = 0; i + 1 < n_kids; i += 2) {
		if (kids[i]->kind != YAML_SCALAR) {
			diag_error(b->diag, kids[i]->pos, "a key must be a word or a string");
			b->stopped = true;
			return;
		}
		if (is_merge(kids[i])) {
			size_t more = merge_size(b, kids[i + 1]);

			extra += more == SIZE_MAX ? 0 : more;
		}
	}
	if (size_mul(extra, n_kids / 2 + extra, &own) || (b->merge_work += own) > MERGE_WORK_MAX) {
		stop(b, y->node.pos, "too many merged keys");
		return;
	}
	pairs = ARENA_ARRAY(b->arena, n_kids / 2 + extra, struct yaml_pair);
	if (pairs == NULL) {
		stop(b, y->node.pos, "too large: out of the memory a configuration may take");
		return;
	}
	for (size_t i = 0; i + 1 < n_kids; i += 2) {
		if (!is_merge(kids[i]))
			pairs[n++] = (struct yaml_pair){kids[i], kids[i + 1]};
	}
	check_duplicates(b, pairs, n);
	for (size_t i = 0; i + 1 < n_kids && extra > 0; i += 2) {
		const struct yaml_node *v = kids[i + 1];

		if (!is_merge(kids[i]))
			continue;
		if (v->kind == YAML_MAP)
			n = merge_one(pairs, n, v);
		for (size_t j = 0; v->kind == YAML_SEQ && j < v->n; j++) {
			if (v->items[j]->kind == YAML_MAP)
				n = merge_one(pairs, n, v->items[j]);
		}
	}
	y->node.pairs = pairs;
	y->node.n = n;
}

static void finish_seq(
	struct builder *b, struct yaml_private *y, const struct yaml_node **kids, size_t n_kids)
{
	const struct yaml_node **items = ARENA_ARRAY(b->arena, n_kids, const struct yaml_node *);

	if (items == NULL) {
		stop(b, y->node.pos, "too large: out of the memory a configuration may take");
		return;
	}
	if (n_kids > 0)
		memcpy(items, kids, n_kids * sizeof(*items));
	y->node.items = items;
	y->node.n = n_kids;
}

static void on_end(struct builder *b)
{
	struct frame *f = &b->frames[--b->depth];
	struct yaml_private *y = f->node;
	const struct yaml_node **kids = b->values + f->base;
	size_t n = b->n_values - f->base;

	for (size_t i = 0; i < n; i++) {
		const struct yaml_private *kid = yaml_private(kids[i]);

		y->size += kid->size; /* each at most the limit, n at most the limit */
		y->height = MAX_OF(y->height, kid->height + 1);
		if (y->size > LIMIT_YAML_NODES || y->height > LIMIT_YAML_DEPTH) {
			stop(b, y->node.pos,
				y->size > LIMIT_YAML_NODES ? "aliases expand to too many values"
							   : "nested too deeply");
			return;
		}
	}
	if (y->node.kind == YAML_MAP)
		finish_map(b, y, kids, n);
	else
		finish_seq(b, y, kids, n);
	y->open = false;
	b->n_values = f->base;
	if (!b->stopped)
		(void)push(b, &y->node); /* a refusal was told and stops the parse */
}

/* ---- the loop ---- */

static void syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	size_t byte;
	struct diag_pos at;

	if (p->error == YAML_READER_ERROR) {
		/* bytes, not characters; a place that is no UTF-8 boundary is still a place */
		struct diag_pos where = {b->file, 1, 1, 1};
		size_t off = MIN_OF(p->problem_offset + b->bom, b->file->text.n);

		for (size_t i = b->bom; i < off; i++) {
			where.col++;
			if (b->file->text.p[i] == '\n') {
				where.line++;
				where.col = 1;
			}
		}
		diag_error(b->diag, where, "%s", p->problem);
		return;
	}
	if (p->error == YAML_MEMORY_ERROR) {
		diag_error(b->diag, (struct diag_pos){b->file, 0, 0, 0}, "out of memory");
		return;
	}
	at = pos_of(b, p->problem_mark.index, &byte);
	if (p->context != NULL && p->context_mark.line != p->problem_mark.line)
		diag_error(b->diag, at, "%s %s that started in line %zu", p->problem, p->context,
			p->context_mark.line + 1);
	else if (p->context != NULL)
		diag_error(b->diag, at, "%s %s", p->problem, p->context);
	else
		diag_error(b->diag, at, "%s", p->problem);
}

/* One event; false at the end of the stream or after an error. */
static bool next_event(struct builder *b)
{
	yaml_event_t ev;
	bool more = true;

	if (yaml_parser_parse(&b->parser, &ev) == 0) {
		syntax_error(b);
		b->stopped = true;
		return false;
	}
	switch (ev.type) {
	case YAML_SCALAR_EVENT: on_scalar(b, &ev); break;
	case YAML_ALIAS_EVENT: on_alias(b, &ev); break;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: on_start(b, &ev); break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: on_end(b); break;
	case YAML_DOCUMENT_END_EVENT: b->n_anchors = 0; break;
	case YAML_STREAM_END_EVENT: more = false; break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT: break;
	}
	yaml_event_delete(&ev);
	return more && !b->stopped;
}

const struct yaml_node *const *yaml_parse(
	struct arena *a, const struct diag_file *file, struct diag *d, size_t *n)
{
	struct builder b = {.arena = a, .file = file, .diag = d, .line = 1};
	const struct yaml_node **docs = NULL;
	size_t errors = diag_errors(d);
	struct diag_pos whole = {file, 0, 0, 0};

	*n = 0;
	if (file->text.n > LIMIT_YAML_BYTES) {
		diag_error(d, whole, "larger than %u MiB", LIMIT_YAML_BYTES >> 20);
		return NULL;
	}
	if (yaml_parser_initialize(&b.parser) == 0) {
		diag_error(d, whole, "out of memory");
		return NULL;
	}
	b.bom = str_starts(file->text, STR("\xef\xbb\xbf")) ? 3 : 0; /* of editors on Windows */
	b.at_byte = b.line_start = b.bom;
	yaml_parser_set_input_string(&b.parser,
		(const unsigned char *)(file->text.n > 0 ? file->text.p + b.bom : ""),
		file->text.n - b.bom);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	while (next_event(&b))
		continue;
	yaml_parser_delete(&b.parser);
	if (diag_errors(d) == errors && !b.stopped) {
		ASSERT(b.depth == 0);
		docs = ARENA_ARRAY(a, b.n_values, const struct yaml_node *);
		if (docs != NULL && b.n_values > 0)
			memcpy(docs, b.values, b.n_values * sizeof(*docs));
		*n = docs != NULL ? b.n_values : 0;
		if (docs == NULL)
			diag_error(d, whole, "too large");
	}
	free(b.values);
	free(b.anchors);
	return docs;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, struct str key)
{
	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (str_eq(map->pairs[i].key->scalar, key))
			return map->pairs[i].value;
	}
	return NULL;
}

bool yaml_to_bool(const struct yaml_node *n, bool *out)
{
	/* YAML 1.1's words, as Prometheus's library takes them for a boolean field */
	static const char *const yes[] = {
		"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
	static const char *const no[] = {
		"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};

	if (n->kind != YAML_SCALAR || n->quoted)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (str_eq(n->scalar, str_c(yes[i])) || str_eq(n->scalar, str_c(no[i]))) {
			*out = str_eq(n->scalar, str_c(yes[i]));
			return true;
		}
	}
	return false;
}
