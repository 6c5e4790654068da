/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page - what one target exposed last time, and how the next page becomes a batch.
 *
 * The cache holds an entry a series, keyed by its text on the page, in page order: the usual
 * line costs one comparison. Whether an entry is alive (needs a stale marker when it vanishes) only
 * changes when the store has committed: page_parse or page_fail fill a batch, page_absorb takes
 * what became of it. One user at a time; the scrape manager sees to that.
 */
#ifndef BELFRY_AGENT_SCRAPE_PAGE_H
#define BELFRY_AGENT_SCRAPE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/scrape/exposition.h"
#include "base/err.h"
#include "base/labels.h"
#include "storage/batch.h"

/* What of a scrape's configuration decides on the samples. Limits: 0 is none. */
struct page_conf {
	bool honor_labels, honor_timestamps;
	uint64_t sample_limit, label_limit, label_name_length_limit, label_value_length_limit;
};

struct page_input {
	const struct page_conf *conf;
	enum expo_format format;
	struct str body;
	int64_t t_ms; /* the slot */
};

struct page_counts {
	uint64_t samples;    /* on the page, up to the error if there was one */
	uint64_t added;      /* series that were not on the page before */
	uint64_t duplicates; /* samples of a series that stood on this page already: dropped */
	uint64_t over_limit; /* series with labels over limits.h: dropped */
};

/* The series about a scrape that are stored beside those of the page. */
enum page_report {
	PAGE_UP,
	PAGE_DURATION,
	PAGE_SAMPLES,
	PAGE_POST_RELABEL,
	PAGE_ADDED,
	PAGE_REPORTS
};

struct page;

/* Labels of the target, which every sample gets: copied. */
struct page *page_new(struct labels target);
void page_free(struct page *p);
struct labels page_labels(const struct page *p);

/* Ids in the cache are worthless when the store's generation changed. */
void page_check_generation(struct page *p, uint64_t generation);
/* Fill b from a body: samples at the slot (or at their own time), stale markers for what is gone,
 * new metadata. -1: the page is wrong or over a limit: throw b away and use page_fail with a new
 * one. */
int page_parse(struct page *p, const struct page_input *in, struct batch *b,
	struct page_counts *counts, struct err *e) MUST_CHECK;
/* Fill b with stale markers for all that is alive. */
void page_fail(struct page *p, int64_t t_ms, struct batch *b);
/* Add the scrape's own series: values in the order of page_report. */
void page_report(struct page *p, int64_t t_ms, const double values[PAGE_REPORTS], struct batch *b);
/* Stale markers for those, when the target is gone for good. */
void page_end_reports(struct page *p, int64_t t_ms, struct batch *b);
/* What the store made of the batch last filled. */
void page_absorb(struct page *p, const struct batch *b);
size_t page_series(const struct page *p);

#endif
