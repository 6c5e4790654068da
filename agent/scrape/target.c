/* SPDX-License-Identifier: Apache-2.0 */
/* target - from scrape_configs to labels, URL, slot and request; see target.h. */
#include "agent/scrape/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/dur.h"
#include "base/f64.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/slot.h"

#define CONF_MEM   (1u << 20)
#define URL_MAX    8192u
#define PARAM_NAME STR("__param_")

/* What Prometheus sends: OpenMetrics first, UTF-8 names welcome. */
#define ACCEPT                                                                                     \
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"                   \
	"application/openmetrics-text;version=0.0.1;q=0.5,"                                        \
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"      \
	"*/*;q=0.2"

static void put_escaped(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';

		if (plain)
			buf_ch(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

/* A path as configured, with what would end it escaped. */
static void put_path(struct buf *b, struct str path)
{
	if (path.n == 0 || path.p[0] != '/')
		buf_ch(b, '/');
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c <= ' ' || c >= 0x7f || c == '?' || c == '#')
			buf_printf(b, "%%%02X", c);
		else
			buf_ch(b, (char)c);
	}
}

static void put_param(struct buf *b, bool *first, struct str name, struct str value)
{
	buf_ch(b, *first ? '?' : '&');
	*first = false;
	put_escaped(b, name);
	buf_ch(b, '=');
	put_escaped(b, value);
}

/* __param_x labels stand for the first value of parameter x. */
static void put_params(struct buf *b, const struct scrape_job *job, struct labels discovered)
{
	bool first = true;

	for (size_t i = 0; i < job->n_params; i++) {
		struct str name = job->params[i].name, value = job->params[i].value;
		bool again = false;

		for (size_t j = 0; j < i; j++)
			again |= str_eq(job->params[j].name, name);
		for (size_t j = 0; j < discovered.n && !again; j++) {
			struct str l = discovered.v[j].name;

			if (str_starts(l, PARAM_NAME) &&
				str_eq(str_sub(l, PARAM_NAME.n, l.n), name))
				value = discovered.v[j].value;
		}
		put_param(b, &first, name, value);
	}
	for (size_t j = 0; j < discovered.n; j++) {
		struct str l = discovered.v[j].name, name;
		bool known = false;

		if (!str_starts(l, PARAM_NAME))
			continue;
		name = str_sub(l, PARAM_NAME.n, l.n);
		for (size_t i = 0; i < job->n_params; i++)
			known |= str_eq(job->params[i].name, name);
		if (!known)
			put_param(b, &first, name, discovered.v[j].value);
	}
}

static struct str duration(struct arena *a, int64_t ms)
{
	struct buf b;
	struct str s;

	buf_init(&b, 64);
	dur_print(&b, ms);
	s = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return s;
}

/* The labels before relabelling, as /api/v1/targets shows them. */
static struct labels discovered_labels(struct target_conf *c, const struct scrape_job *job,
	const struct scrape_static *group, struct str address)
{
	struct labels_builder b;

	labels_builder_init(&b, &c->mem, (struct labels){0});
	labels_builder_set(&b, STR("__address__"), address);
	labels_builder_set(&b, STR("__metrics_path__"), job->metrics_path);
	labels_builder_set(&b, STR("__scheme__"), job->scheme);
	labels_builder_set(&b, STR("__scrape_interval__"), duration(&c->mem, job->interval_ms));
	labels_builder_set(&b, STR("__scrape_timeout__"), duration(&c->mem, job->timeout_ms));
	labels_builder_set(&b, STR("job"), job->job_name);
	for (size_t i = job->n_params; i-- > 0;) /* of repeated ones the first */
		labels_builder_set(&b,
			arena_printf(&c->mem, "__param_%.*s", (int)job->params[i].name.n,
				job->params[i].name.p),
			job->params[i].value);
	for (size_t i = 0; i < group->labels.n; i++)
		labels_builder_set(&b, group->labels.v[i].name, group->labels.v[i].value);
	return labels_copy(&c->mem, labels_builder_done(&b));
}

/* Without what is only for us (__x), and with an instance. */
static struct labels final_labels(struct target_conf *c)
{
	struct labels_builder b;
	struct labels d = c->discovered;

	labels_builder_init(&b, &c->mem, (struct labels){0});
	for (size_t i = 0; i < d.n; i++) {
		if (!str_starts(d.v[i].name, STR("__")))
			labels_builder_set(&b, d.v[i].name, d.v[i].value);
	}
	if (labels_get(d, STR("instance")).n == 0)
		labels_builder_set(&b, STR("instance"), labels_get(d, STR("__address__")));
	return labels_builder_done(&b);
}

static int make_url(struct target_conf *c, const struct scrape_job *job, struct err *e)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, URL_MAX);
	buf_str(&b, labels_get(c->discovered, STR("__scheme__")));
	buf_c(&b, "://");
	buf_str(&b, labels_get(c->discovered, STR("__address__")));
	put_path(&b, labels_get(c->discovered, STR("__metrics_path__")));
	put_params(&b, job, c->discovered);
	c->url = arena_str(&c->mem, buf_view(&b));
	if (b.failed || memchr(c->url.p, '\0', c->url.n) != NULL)
		rc = err_set(e, ERR_INPUT, 0, "target URL is too long or holds a NUL");
	buf_fini(&b);
	return rc;
}

static void copy_rest(struct target_conf *c, const struct scrape_job *job)
{
	c->pool = arena_str(&c->mem, job->job_name);
	c->interval_ms = job->interval_ms;
	c->timeout_ms = job->timeout_ms;
	c->page = (struct page_conf){
		.honor_labels = job->honor_labels,
		.honor_timestamps = job->honor_timestamps,
		.sample_limit = job->sample_limit,
		.label_limit = job->label_limit,
		.label_name_length_limit = job->label_name_length_limit,
		.label_value_length_limit = job->label_value_length_limit,
	};
	c->body_limit = job->body_size_limit > 0 ? job->body_size_limit : LIMIT_SCRAPE_BODY;
	c->user = arena_str(&c->mem, job->basic_user);
	c->password = arena_str(&c->mem, job->basic_password);
	c->bearer = arena_str(&c->mem, job->bearer);
	c->ca_file = arena_str(&c->mem, job->ca_file);
	c->cert_file = arena_str(&c->mem, job->cert_file);
	c->key_file = arena_str(&c->mem, job->key_file);
	c->server_name = arena_str(&c->mem, job->server_name);
	c->insecure_skip_verify = job->insecure_skip_verify;
	c->follow_redirects = job->follow_redirects;
}

void target_conf_place(struct target_conf *c, int64_t unit_ms, size_t n)
{
	uint64_t h = hash_fixed(c->url.p, c->url.n);

	for (size_t i = 0; i < c->labels.n; i++) {
		h = h * 31 + hash_fixed(c->labels.v[i].name.p, c->labels.v[i].name.n);
		h = h * 31 + hash_fixed(c->labels.v[i].value.p, c->labels.v[i].value.n);
	}
	c->offset_ms = slot_of_scrape(h, c->interval_ms, unit_ms, n);
}

struct target_conf *target_conf_new(const struct scrape_job *job, const struct scrape_static *group,
	struct str address, struct err *e)
{
	struct target_conf *c = calloc(1, sizeof *c);

	ASSERT(c != NULL);
	ASSERT(job->interval_ms > 0);
	arena_init(&c->mem, CONF_MEM);
	c->discovered = discovered_labels(c, job, group, address);
	c->labels = final_labels(c);
	copy_rest(c, job);
	if (make_url(c, job, e) != 0 || labels_check(c->labels, false, e) != 0)
		goto free_conf;
	if (c->mem.failed) {
		err_set(e, ERR_LIMIT, 0, "labels of the target are too long");
		goto free_conf;
	}
	c->hash = labels_hash(c->labels);
	target_conf_place(c, 0, 1);
	return c;
free_conf:
	err_wrap(e, "target " STR_FMT, STR_ARG(address));
	target_conf_free(c);
	return NULL;
}

void target_conf_free(struct target_conf *c)
{
	if (c == NULL)
		return;
	if (c->password.n > 0)
		explicit_bzero((char *)(uintptr_t)c->password.p, c->password.n);
	if (c->bearer.n > 0)
		explicit_bzero((char *)(uintptr_t)c->bearer.p, c->bearer.n);
	arena_fini(&c->mem);
	free(c);
}

static char *copy_or_null(struct str s)
{
	char *c = s.n > 0 ? str_dup_c(s) : NULL;

	return c;
}

struct send_request *target_request(const struct target_conf *c)
{
	struct send_request *r = send_request_new(SEND_HTTP);
	char seconds[32];
	bool ok;

	r->url = str_dup_c(c->url);
	r->method = str_dup_c(STR("GET"));
	ASSERT(r->url != NULL);
	ASSERT(r->method != NULL);
	(void)snprintf(seconds, sizeof seconds, "%.15g", (double)c->timeout_ms / 1000);
	ok = send_request_header(r, STR("Accept"), STR(ACCEPT)) &&
	     send_request_header(r, STR("X-Prometheus-Scrape-Timeout-Seconds"), str_c(seconds));
	ASSERT(ok);
	r->user = copy_or_null(c->user);
	r->password = copy_or_null(c->password);
	r->bearer = copy_or_null(c->bearer);
	r->ca_file = copy_or_null(c->ca_file);
	r->cert_file = copy_or_null(c->cert_file);
	r->key_file = copy_or_null(c->key_file);
	r->server_name = copy_or_null(c->server_name);
	r->insecure_skip_verify = c->insecure_skip_verify;
	r->follow_redirects = c->follow_redirects;
	r->timeout_ms = (int)MIN_OF(c->timeout_ms, INT64_C(86400000));
	r->reply_max = c->body_limit;
	return r;
}

int64_t target_slot(const struct target_conf *c, int64_t now_ms)
{
	return i64_floor_div(now_ms - c->offset_ms, c->interval_ms) * c->interval_ms + c->offset_ms;
}

struct target *target_new(struct target_conf *take_conf)
{
	struct target *t = calloc(1, sizeof *t);

	ASSERT(t != NULL);
	atomic_store(&t->refs, 1);
	t->conf = take_conf;
	t->page = page_new(take_conf->labels);
	return t;
}

void target_unref(struct target *t)
{
	if (atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	ASSERT(t->timer == NULL); /* the loop's: freed there */
	if (t->last != NULL)
		batch_free(t->last);
	page_free(t->page);
	target_conf_free(t->conf);
	free(t);
}
