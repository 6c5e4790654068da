/* SPDX-License-Identifier: Apache-2.0 */
/* run - the way of one scrape through the threads; see run.h. */
#include "agent/scrape/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

void run_free(struct run *r)
{
	send_request_free(r->req);
	if (r->batch != NULL)
		batch_free(r->batch);
	target_unref(r->t);
	free(r);
}

/* Back to the loop, from any thread. The reference to the manager ends here. */
static void hand_back(struct run *r)
{
	struct scrape *s = r->s;
	bool pushed = queue_push(s->done, r, 1);

	ASSERT(pushed); /* room for a run of every target there can be */
	if (!atomic_load(&s->closing) && !atomic_exchange(&s->posted, true) &&
		!loop_post(s->loop, scrape_on_done, s))
		atomic_store(&s->posted, false); /* the housekeeping timer will find it */
	scrape_unref(s);
}

static void set_error(struct run *r, const char *text)
{
	(void)snprintf(r->error, sizeof r->error, "%s", text);
}

/* ---- on an ingest worker ---- */

static bool media_type_is(struct str header, struct str type)
{
	return str_eq_nocase(str_trim(str_sub(header, 0, str_find(header, ';'))), type);
}

/* True when there is a body to parse, in *format. */
static bool judge_answer(struct run *r, enum expo_format *format)
{
	const struct send_request *req = r->req;
	struct str type = str_c(req->reply_content_type);

	if (!req->transport_ok) {
		set_error(r, req->error[0] != '\0' ? req->error : "no answer");
		return false;
	}
	if (req->status != 200) {
		(void)snprintf(
			r->error, sizeof r->error, "server returned HTTP status %d", req->status);
		return false;
	}
	if (media_type_is(type, STR("text/plain"))) {
		*format = EXPO_TEXT;
	} else if (media_type_is(type, STR("application/openmetrics-text"))) {
		*format = EXPO_OPENMETRICS;
	} else {
		(void)snprintf(r->error, sizeof r->error,
			"unsupported Content-Type \"%.100s\": text/plain or "
			"application/openmetrics-text expected",
			type.n > 0 ? type.p : "");
		return false;
	}
	return true;
}

static void count_dropped(const struct page_counts *c)
{
	if (c->duplicates > 0)
		METRIC_DROP("scrape", "duplicate", c->duplicates);
	if (c->over_limit > 0)
		METRIC_DROP("scrape", "label_limit", c->over_limit);
}

/* The page as a batch, or what stands for a page that could not be had. */
static struct batch *make_batch(struct run *r)
{
	struct page *page = r->t->page;
	struct batch *b = batch_new(BATCH_SCRAPE);
	struct page_input in = {.conf = &r->conf, .t_ms = r->slot_ms};
	struct err e = {0};
	double values[PAGE_REPORTS];

	if (judge_answer(r, &in.format)) {
		in.body = str_n(r->req->reply, r->req->reply_len);
		r->up = page_parse(page, &in, b, &r->counts, &e) == 0;
		if (!r->up)
			set_error(r, e.msg);
	}
	if (!r->up) {
		batch_free(b);
		b = batch_new(BATCH_SCRAPE);
		page_fail(page, r->slot_ms, b);
	}
	count_dropped(&r->counts);
	r->duration = (double)(clock_real_ns() - r->start_ns) / 1e9;
	values[PAGE_UP] = r->up;
	values[PAGE_DURATION] = r->duration;
	values[PAGE_SAMPLES] = (double)r->counts.samples;
	values[PAGE_POST_RELABEL] = (double)r->counts.samples;
	values[PAGE_ADDED] = (double)r->counts.added;
	page_report(page, r->slot_ms, values, b);
	return b;
}

static void count_refused(const struct batch_result *res)
{
	METRIC_DROP("scrape", "too_old", res->refused[REFUSED_TOO_OLD]);
	METRIC_DROP("scrape", "too_new", res->refused[REFUSED_TOO_NEW]);
	METRIC_DROP("scrape", "duplicate", res->refused[REFUSED_DUPLICATE]);
	METRIC_DROP("scrape", "series_limit", res->refused[REFUSED_SERIES_LIMIT]);
}

static void not_stored(struct run *r, const char *why)
{
	METRIC_DROP("scrape", "not_stored", r->counts.samples);
	r->up = false;
	(void)snprintf(r->error, sizeof r->error, "not stored: %.200s", why);
}

/* On the storage writer. */
static void on_stored(struct batch *b, void *arg)
{
	struct run *r = arg;
	const struct batch_result *res = batch_result(b);

	r->batch = b;
	r->stored = res->fail == ERR_NONE;
	if (!r->stored)
		not_stored(r, res->first_msg);
	else
		count_refused(res);
	hand_back(r);
}

static void absorb_last(struct run *r)
{
	struct target *t = r->t;

	if (t->last != NULL) {
		page_absorb(t->page, t->last);
		batch_free(t->last);
		t->last = NULL;
	}
	page_check_generation(t->page, store_id_generation(r->s->store));
}

static void on_ingest(struct pool_job *job)
{
	struct run *r = (struct run *)job;
	struct batch *b;
	struct err e = {0};

	if (atomic_load(&r->s->closing)) {
		hand_back(r);
		return;
	}
	absorb_last(r);
	b = make_batch(r);
	free(r->req->reply); /* pages are large: not until the commit */
	r->req->reply = NULL;
	if (store_submit(r->s->store, b, on_stored, r, &e) == 0)
		return;
	batch_free(b);
	not_stored(r, e.msg);
	hand_back(r);
}

/* ---- on the http client's thread ---- */

static void on_transfer(struct send_request *req, void *arg)
{
	struct run *r = arg;

	ASSERT(r->req == req);
	if (!atomic_load(&r->s->closing) && pool_submit(r->s->ingest, &r->job))
		return;
	not_stored(r, "too many pages wait to be read");
	hand_back(r);
}

/* ---- on the loop ---- */

void run_start(struct scrape *s, struct target *t, int64_t slot_ms)
{
	struct run *r = calloc(1, sizeof *r);

	ASSERT(r != NULL);
	ASSERT(!t->busy);
	r->job.run = on_ingest;
	r->s = s;
	r->t = t;
	r->conf = t->conf->page;
	r->slot_ms = slot_ms;
	r->start_ns = clock_real_ns();
	r->start_wall_ms = clock_wall_ms();
	r->req = target_request(t->conf);
	r->req->on_done = on_transfer;
	r->req->arg = r;
	atomic_fetch_add(&s->refs, 1);
	atomic_fetch_add(&t->refs, 1);
	t->busy = true;
	t->last_slot_ms = slot_ms;
	if (s->client.submit(s->client.ctx, r->req))
		return;
	(void)snprintf(r->req->error, sizeof r->req->error, "too many transfers wait");
	on_transfer(r->req, r);
}
