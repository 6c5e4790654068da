/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page - the series cache of a target; see page.h.
 *
 * Entries stand in an array that only grows, until most of it is dead; each remembers which entry
 * came behind it last time (`next`), which is the hint for the following line. A page that changed
 * its order costs a hash look-up at each seam and is followed from there.
 */
#include "agent/scrape/page.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/num.h"

#define NONE        UINT32_MAX
#define FIRST_SLOTS 256u
#define SCRATCH     (1u << 20)
#define HELP_MAX    1024u /* bytes of a help text that are kept */
#define SLACK       1000u /* dead entries that a cache may keep around */

struct entry {
	struct str text; /* in mem, in front of the labels' bytes */
	void *mem;
	struct labels labels;
	uint64_t text_hash, labels_hash;
	uint32_t id;
	uint32_t next; /* entry of the following line */
	uint32_t seen; /* number of the page it stood on last */
	bool alive;    /* stored by the last committed page, at the page's time */
	bool timed;    /* has its own time: gets no stale marker */
	bool refused;  /* labels over limits.h: never stored */
};

struct slot {
	uint64_t hash;
	uint32_t index; /* + 1; 0: free */
};

/* Metadata sent to the store, so that it goes there once: hash of the name -> hash of all. */
struct meta_slot {
	uint64_t name, content;
};

struct family { /* HELP, TYPE and UNIT of one metric as far as read */
	struct buf name, help, unit;
	enum expo_type type;
	bool open;
};

enum outcome { NOTHING, PARSED, FAILED };

struct page {
	struct labels target;
	struct arena mem; /* target labels and report series */
	struct arena scratch;
	struct entry *entries;
	size_t n, cap;
	struct slot *slots;
	size_t slot_mask;
	struct meta_slot *metas;
	size_t meta_mask, n_metas;
	struct family family;
	uint32_t first; /* entry of the first line last time */
	uint32_t round; /* number of this page */
	uint32_t good;  /* number of the last committed page */
	uint64_t generation;
	enum outcome pending;
	/* which series the batch's i-th batch_series call named: entries, then reports */
	uint32_t *order;
	size_t n_order, cap_order;
	struct labels reports[PAGE_REPORTS];
	uint64_t report_hash[PAGE_REPORTS];
	uint32_t report_id[PAGE_REPORTS];
};

#define REPORT_BASE (NONE - PAGE_REPORTS)

static const struct str report_names[PAGE_REPORTS] = {
	[PAGE_UP] = {"up", 2},
	[PAGE_DURATION] = {"scrape_duration_seconds", 23},
	[PAGE_SAMPLES] = {"scrape_samples_scraped", 22},
	[PAGE_POST_RELABEL] = {"scrape_samples_post_metric_relabeling", 37},
	[PAGE_ADDED] = {"scrape_series_added", 19},
};

/* ---- life ---- */

struct page *page_new(struct labels target)
{
	struct page *p = calloc(1, sizeof *p);

	ASSERT(p != NULL);
	hash_init();
	arena_init(&p->mem, 4u << 20);
	arena_init(&p->scratch, SCRATCH);
	p->target = labels_copy(&p->mem, target);
	for (unsigned i = 0; i < PAGE_REPORTS; i++) {
		struct labels_builder b;

		labels_builder_init(&b, &p->mem, p->target);
		labels_builder_set(&b, LABEL_NAME, report_names[i]);
		p->reports[i] = labels_builder_done(&b);
		p->report_hash[i] = labels_hash(p->reports[i]);
	}
	ASSERT(!p->mem.failed); /* a target's labels are within limits.h */
	p->slot_mask = FIRST_SLOTS - 1;
	p->slots = calloc(FIRST_SLOTS, sizeof *p->slots);
	p->meta_mask = FIRST_SLOTS - 1;
	p->metas = calloc(FIRST_SLOTS, sizeof *p->metas);
	ASSERT(p->slots != NULL);
	ASSERT(p->metas != NULL);
	p->first = NONE;
	buf_init(&p->family.name, LIMIT_SCRAPE_LINE);
	buf_init(&p->family.help, HELP_MAX);
	buf_init(&p->family.unit, LIMIT_SCRAPE_LINE);
	return p;
}

void page_free(struct page *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->entries[i].mem);
	free(p->entries);
	free(p->slots);
	free(p->metas);
	free(p->order);
	buf_fini(&p->family.name);
	buf_fini(&p->family.help);
	buf_fini(&p->family.unit);
	arena_fini(&p->scratch);
	arena_fini(&p->mem);
	free(p);
}

struct labels page_labels(const struct page *p)
{
	return p->target;
}

size_t page_series(const struct page *p)
{
	return p->n;
}

void page_check_generation(struct page *p, uint64_t generation)
{
	if (p->generation == generation)
		return;
	p->generation = generation;
	for (size_t i = 0; i < p->n; i++)
		p->entries[i].id = 0;
	memset(p->report_id, 0, sizeof p->report_id);
}

/* ---- entries ---- */

static uint32_t find_entry(const struct page *p, struct str text, uint64_t hash)
{
	for (size_t i = hash & p->slot_mask; p->slots[i].index != 0; i = (i + 1) & p->slot_mask) {
		uint32_t e = p->slots[i].index - 1;

		if (p->slots[i].hash == hash && str_eq(p->entries[e].text, text))
			return e;
	}
	return NONE;
}

static void put_slot(struct page *p, uint64_t hash, uint32_t index)
{
	size_t i = hash & p->slot_mask;

	while (p->slots[i].index != 0)
		i = (i + 1) & p->slot_mask;
	p->slots[i] = (struct slot){hash, index + 1};
}

static void rebuild_slots(struct page *p, size_t slots)
{
	free(p->slots);
	p->slots = calloc(slots, sizeof *p->slots);
	ASSERT(p->slots != NULL);
	p->slot_mask = slots - 1;
	for (size_t i = 0; i < p->n; i++)
		put_slot(p, p->entries[i].text_hash, (uint32_t)i);
}

/* Text and labels in one block. */
static void fill_entry(struct entry *e, struct str text, struct labels ls)
{
	size_t bytes = ls.n * sizeof(struct label) + text.n;
	struct label *v;
	char *c;

	for (size_t i = 0; i < ls.n; i++)
		bytes += ls.v[i].name.n + ls.v[i].value.n;
	e->mem = malloc(bytes);
	ASSERT(e->mem != NULL);
	v = e->mem;
	c = (char *)(v + ls.n);
	memcpy(c, text.p, text.n);
	e->text = str_n(c, text.n);
	c += text.n;
	for (size_t i = 0; i < ls.n; i++) {
		memcpy(c, ls.v[i].name.p, ls.v[i].name.n);
		v[i].name = str_n(c, ls.v[i].name.n);
		c += ls.v[i].name.n;
		memcpy(c, ls.v[i].value.p, ls.v[i].value.n);
		v[i].value = str_n(c, ls.v[i].value.n);
		c += ls.v[i].value.n;
	}
	e->labels = (struct labels){v, ls.n};
	e->labels_hash = labels_hash(e->labels);
}

static uint32_t add_entry(
	struct page *p, struct str text, uint64_t hash, struct labels ls, bool refused)
{
	struct entry *e;

	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 64 : p->cap * 2;
		p->entries = reallocarray(p->entries, p->cap, sizeof *p->entries);
		ASSERT(p->entries != NULL);
	}
	e = &p->entries[p->n];
	*e = (struct entry){.text_hash = hash, .next = NONE, .refused = refused};
	fill_entry(e, text, refused ? (struct labels){0} : ls);
	if ((p->n + 1) * 2 > p->slot_mask + 1)
		rebuild_slots(p, (p->slot_mask + 1) * 2);
	put_slot(p, hash, (uint32_t)p->n);
	return (uint32_t)p->n++;
}

/* ---- a line's labels ---- */

static bool has_label(const struct label *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(v[i].name, name))
			return true;
	}
	return false;
}

/* Without honor_labels the page's labels step aside: exported_, as often as it takes. */
static void rename_conflicts(struct page *p, struct label *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str name = v[i].name;

		if (str_eq(name, LABEL_NAME) || v[i].value.n == 0 ||
			!has_label(p->target.v, p->target.n, name))
			continue;
		do {
			name = arena_printf(&p->scratch, "exported_%.*s", (int)name.n, name.p);
		} while (name.p != NULL &&
			 (has_label(v, n, name) || has_label(p->target.v, p->target.n, name)));
		v[i].name = name;
	}
}

static int check_limits(const struct page_conf *c, struct labels ls, struct err *e)
{
	if (c->label_limit > 0 && ls.n > c->label_limit)
		return err_set(e, ERR_INPUT, 0, "label_limit exceeded (%zu labels)", ls.n);
	for (size_t i = 0; i < ls.n; i++) {
		if (c->label_name_length_limit > 0 && ls.v[i].name.n > c->label_name_length_limit)
			return err_set(e, ERR_INPUT, 0,
				"label_name_length_limit exceeded (" STR_FMT ")",
				STR_ARG(ls.v[i].name));
		if (c->label_value_length_limit > 0 &&
			ls.v[i].value.n > c->label_value_length_limit)
			return err_set(e, ERR_INPUT, 0,
				"label_value_length_limit exceeded (label " STR_FMT ")",
				STR_ARG(ls.v[i].name));
	}
	return labels_check(ls, true, e);
}

/* What was read of a line, with the target's labels, as a sorted set in the scratch. */
static int final_labels(struct page *p, const struct page_conf *c, struct expo *x,
	struct labels *out, struct err *e)
{
	size_t n = x->n_labels;
	struct label *v;

	arena_reset(&p->scratch);
	v = ARENA_ARRAY(&p->scratch, n + p->target.n, struct label);
	if (v == NULL)
		return err_set(e, ERR_LIMIT, 0, "too many labels");
	for (size_t i = 0; i < n; i++)
		v[i] = (struct label){x->labels[i].name,
			expo_normal_value(x, x->labels[i].name, x->labels[i].value)};
	if (!c->honor_labels)
		rename_conflicts(p, v, n);
	for (size_t i = 0, page_n = n; i < p->target.n; i++) {
		if (!c->honor_labels || !has_label(v, page_n, p->target.v[i].name))
			v[n++] = p->target.v[i];
	}
	if (p->scratch.failed)
		return err_set(e, ERR_LIMIT, 0, "labels too long");
	if (!labels_sort(v, &n))
		return err_set(e, ERR_INPUT, 0, "a label name stands twice");
	*out = (struct labels){v, n};
	return check_limits(c, *out, e);
}

/* The entry of the line just read, made if it is new. NONE and *e on a wrong one. */
static uint32_t entry_of(struct page *p, const struct page_conf *c, struct expo *x, struct err *e)
{
	uint64_t hash = hash_str(x->series);
	uint32_t i = find_entry(p, x->series, hash);
	struct labels ls = {0};
	int rc;

	if (i != NONE)
		return i;
	rc = final_labels(p, c, x, &ls, e);
	if (rc != 0 && e->kind != ERR_LIMIT)
		return NONE;
	return add_entry(p, x->series, hash, ls, rc != 0);
}

/* ---- batches ---- */

static void note_order(struct page *p, uint32_t what)
{
	if (p->n_order == p->cap_order) {
		p->cap_order = p->cap_order == 0 ? 256 : p->cap_order * 2;
		p->order = reallocarray(p->order, p->cap_order, sizeof *p->order);
		ASSERT(p->order != NULL);
	}
	p->order[p->n_order++] = what;
}

static void write_sample(struct page *p, uint32_t i, int64_t t_ms, double v, struct batch *b)
{
	const struct entry *e = &p->entries[i];

	if (e->id != 0)
		batch_series_id(b, e->id);
	else
		batch_series_labels(b, e->labels, e->labels_hash);
	batch_float(b, t_ms, v, 0);
	note_order(p, i);
}

static void write_report(struct page *p, unsigned i, int64_t t_ms, double v, struct batch *b)
{
	if (p->report_id[i] != 0)
		batch_series_id(b, p->report_id[i]);
	else
		batch_series_labels(b, p->reports[i], p->report_hash[i]);
	batch_float(b, t_ms, v, 0);
	note_order(p, REPORT_BASE + i);
}

void page_report(struct page *p, int64_t t_ms, const double values[PAGE_REPORTS], struct batch *b)
{
	for (unsigned i = 0; i < PAGE_REPORTS; i++)
		write_report(p, i, t_ms, values[i], b);
}

void page_end_reports(struct page *p, int64_t t_ms, struct batch *b)
{
	for (unsigned i = 0; i < PAGE_REPORTS; i++)
		write_report(p, i, t_ms, stale_nan(), b);
}

/* ---- metadata ---- */

static void put_meta(struct page *p, uint64_t name, uint64_t content)
{
	size_t i = name & p->meta_mask;

	while (p->metas[i].name != 0 && p->metas[i].name != name)
		i = (i + 1) & p->meta_mask;
	p->n_metas += p->metas[i].name == 0;
	p->metas[i] = (struct meta_slot){name, content};
}

static bool meta_is_known(const struct page *p, uint64_t name, uint64_t content)
{
	for (size_t i = name & p->meta_mask; p->metas[i].name != 0; i = (i + 1) & p->meta_mask) {
		if (p->metas[i].name == name)
			return p->metas[i].content == content;
	}
	return false;
}

static void grow_metas(struct page *p)
{
	struct meta_slot *old = p->metas;
	size_t n = p->meta_mask + 1;

	p->metas = calloc(n * 2, sizeof *p->metas);
	ASSERT(p->metas != NULL);
	p->meta_mask = n * 2 - 1;
	p->n_metas = 0;
	for (size_t i = 0; i < n; i++) {
		if (old[i].name != 0)
			put_meta(p, old[i].name, old[i].content);
	}
	free(old);
}

static void forget_metas(struct page *p)
{
	memset(p->metas, 0, (p->meta_mask + 1) * sizeof *p->metas);
	p->n_metas = 0;
}

/* The family is complete: tell the store, unless it knows. */
static void close_family(struct page *p, struct batch *b)
{
	struct family *f = &p->family;
	struct str name = buf_view(&f->name), help = buf_view(&f->help), unit = buf_view(&f->unit);
	uint64_t name_hash, content;

	if (!f->open)
		return;
	f->open = false;
	name_hash = hash_str(name) | 1; /* 0 means a free slot */
	content = hash_str(help) * 31 + hash_str(unit) * 7 + f->type;
	if (meta_is_known(p, name_hash, content))
		return;
	if (p->n_metas * 2 > p->meta_mask)
		grow_metas(p);
	put_meta(p, name_hash, content);
	batch_metadata(b, name, str_c(expo_type_name(f->type)), help, unit);
}

static void put_text(struct buf *b, struct str text)
{
	size_t n = MIN_OF(text.n, b->max);

	while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--; /* not inside a character */
	buf_reset(b);
	buf_str(b, str_sub(text, 0, n));
}

static void read_meta(struct page *p, const struct expo *x, enum expo_entry what, struct batch *b)
{
	struct family *f = &p->family;

	if (!f->open || !str_eq(buf_view(&f->name), x->metric)) {
		close_family(p, b);
		put_text(&f->name, x->metric);
		buf_reset(&f->help);
		buf_reset(&f->unit);
		f->type = EXPO_UNKNOWN;
		f->open = true;
	}
	if (what == EXPO_TYPE)
		f->type = x->type;
	else
		put_text(what == EXPO_HELP ? &f->help : &f->unit, x->text);
}

/* ---- pages ---- */

static void begin(struct page *p, enum outcome pending)
{
	if (p->pending != NOTHING) /* the last batch never came to the store */
		forget_metas(p);
	p->round++;
	p->n_order = 0;
	p->pending = pending;
	p->family.open = false;
}

struct reading {
	const struct page_conf *conf;
	struct batch *batch;
	struct page_counts *counts;
	int64_t t_ms;
	uint32_t last; /* entry of the line before; NONE: none yet */
};

static int take_sample(struct page *p, struct expo *x, struct reading *r, struct err *e)
{
	uint32_t i = r->last == NONE ? p->first : p->entries[r->last].next;
	struct entry *en;
	bool timed = x->has_time && r->conf->honor_timestamps;

	if (!x->hinted) {
		i = entry_of(p, r->conf, x, e);
		if (i == NONE)
			return -1;
		if (r->last == NONE)
			p->first = i;
		else
			p->entries[r->last].next = i;
	}
	r->last = i;
	en = &p->entries[i];
	r->counts->samples++;
	if (r->conf->sample_limit > 0 && r->counts->samples > r->conf->sample_limit)
		return err_set(e, ERR_INPUT, 0, "sample_limit exceeded (%llu)",
			(unsigned long long)r->conf->sample_limit);
	if (en->refused) {
		r->counts->over_limit++;
		return 0;
	}
	if (en->seen == p->round && !timed) {
		r->counts->duplicates++;
		return 0;
	}
	r->counts->added += en->seen != p->good || p->good == 0;
	en->seen = p->round;
	en->timed = timed;
	write_sample(p, i, timed ? x->t_ms : r->t_ms, x->value, r->batch);
	return 0;
}

static void write_vanished(struct page *p, int64_t t_ms, struct batch *b)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->entries[i].alive && p->entries[i].seen != p->round)
			write_sample(p, (uint32_t)i, t_ms, stale_nan(), b);
	}
}

int page_parse(struct page *p, const struct page_input *in, struct batch *b,
	struct page_counts *counts, struct err *e)
{
	struct reading r = {in->conf, b, counts, in->t_ms, NONE};
	enum expo_entry what;
	struct expo x;

	begin(p, PARSED);
	expo_init(&x, in->format, in->body);
	for (;;) {
		uint32_t i = r.last == NONE ? p->first : p->entries[r.last].next;

		x.hint = i == NONE ? STR_NULL : p->entries[i].text;
		what = expo_next(&x);
		if (what == EXPO_END || what == EXPO_ERROR)
			break;
		if (what != EXPO_SAMPLE)
			read_meta(p, &x, what, b);
		else if (take_sample(p, &x, &r, e) != 0)
			goto fail;
	}
	if (what == EXPO_ERROR) {
		*e = x.err;
		goto fail;
	}
	close_family(p, b);
	write_vanished(p, in->t_ms, b);
	expo_fini(&x);
	if (batch_failed(b)) {
		err_set(e, ERR_LIMIT, 0, "page too large to be stored at once");
		forget_metas(p);
		return -1;
	}
	return 0;
fail:
	expo_fini(&x);
	forget_metas(p); /* they went with the batch that is thrown away */
	return -1;
}

void page_fail(struct page *p, int64_t t_ms, struct batch *b)
{
	begin(p, FAILED);
	write_vanished(p, t_ms, b);
}

/* Most of the cache is dead: keep what was on the last good page. */
static void compact(struct page *p)
{
	size_t out = 0, slots = FIRST_SLOTS;

	for (size_t i = 0; i < p->n; i++) {
		struct entry *e = &p->entries[i];

		if (e->seen != p->good && !e->alive) {
			free(e->mem);
			continue;
		}
		e->next = NONE;
		p->entries[out++] = *e;
	}
	p->n = out;
	p->first = out > 0 ? 0 : NONE;
	while (slots < 2 * (out + 1))
		slots *= 2;
	rebuild_slots(p, slots);
}

static void absorb_ids(struct page *p, const struct batch *b)
{
	for (size_t i = 0; i < p->n_order; i++) {
		uint32_t id = batch_series_result_id(b, i);

		if (p->order[i] >= REPORT_BASE)
			p->report_id[p->order[i] - REPORT_BASE] = id;
		else
			p->entries[p->order[i]].id = id;
	}
}

void page_absorb(struct page *p, const struct batch *b)
{
	enum outcome what = p->pending;
	size_t dead = 0;

	p->pending = NOTHING;
	if (what == NOTHING)
		return;
	if (batch_result(b)->fail != ERR_NONE) {
		forget_metas(p);
		return;
	}
	absorb_ids(p, b);
	if (what == PARSED)
		p->good = p->round;
	for (size_t i = 0; i < p->n; i++) {
		struct entry *e = &p->entries[i];

		e->alive = what == PARSED && e->seen == p->round && !e->timed && !e->refused;
		dead += e->seen != p->good;
	}
	if (dead > p->n / 2 + SLACK)
		compact(p);
}
