/* SPDX-License-Identifier: Apache-2.0 */
/* test_promql_eval - the evaluator over memory: cases of tests/data/promql (their README tells the
 * format), and its limits. */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "rules/promql/ast.h"
#include "rules/promql/engine.h"
#include "tests/lib/promqltest.h"
#include "tests/lib/suite.h"

#define DATA_DIR  "tests/data/promql"
#define MAX_WANT  32
#define MAX_LINES 4000

static struct arena mem, query_mem;
static struct mem_source source;
static struct err e;

static void setup(void)
{
	hash_init();
	arena_init(&mem, (size_t)64 << 20);
	arena_init(&query_mem, (size_t)64 << 20);
	mem_source_init(&source, &mem);
	e = (struct err){0};
}

static void teardown(void)
{
	arena_fini(&query_mem);
	arena_fini(&mem);
}

/* --- the case files --- */

struct acase {
	const char *file;
	size_t line;
	struct str text, fails, warns, notes, string;
	int64_t start, end, step;
	bool ordered, is_scalar, is_string;
	double scalar;
	struct pt_series want[MAX_WANT];
	size_t n_want;
};

static int wrong(const struct acase *c, const char *what, const struct buf *b)
{
	fprintf(stderr, "%s:%zu: %.*s: %s %.*s\n", c->file, c->line, (int)c->text.n, c->text.p,
		what, b != NULL ? (int)b->n : 0, b != NULL && b->p != NULL ? b->p : "");
	return 1;
}

static bool has(struct str s, struct str part)
{
	return str_has(s, part);
}

static int run(const struct acase *c, struct pq_result *r)
{
	struct select_source src = mem_source_select(&source);
	struct pq_params p = {.start_ms = c->start,
		.end_ms = c->end,
		.step_ms = c->step,
		.lookback_ms = 300000,
		.max_samples = 1000000,
		.interval_ms = 60000,
		.experimental = true};
	const struct pq_expr *x;

	arena_fini(&query_mem);
	e = (struct err){0};
	x = pq_parse(&query_mem, c->text, true, &e);
	return x == NULL ? -1 : pq_eval(&query_mem, x, &p, &src, r, &e);
}

/* Series i of the result is the wanted one w. */
static bool same_series(
	const struct acase *c, const struct pq_series *s, const struct pt_series *w, bool raw)
{
	size_t p = 0;

	for (size_t k = 0; k < w->n; k++) {
		int64_t t = c->start + (int64_t)k * c->step;
		bool have = p < s->n && (raw || s->t[p] == t);

		if (have != (w->v[k].kind != PT_NONE))
			return false;
		if (have && !pt_same_value(&w->v[k], s->v[p], s->h != NULL ? s->h[p] : NULL))
			return false;
		p += have;
	}
	return p == s->n;
}

static int check_series(const struct acase *c, const struct pq_result *r)
{
	bool raw = c->step == 0 && r->type == PQ_MATRIX;
	int failed = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct pq_series *s = &r->series[i];
		size_t k = 0;
		struct buf b;

		while (k < c->n_want && !labels_eq(c->want[k].labels, s->labels))
			k++;
		if (k < c->n_want && same_series(c, s, &c->want[k], raw) && (!c->ordered || k == i))
			continue;
		buf_init(&b, 65536);
		labels_print(&b, s->labels, true);
		for (size_t p = 0; p < s->n; p++) {
			buf_ch(&b, ' ');
			pt_print_value(&b, s->v[p], s->h != NULL ? s->h[p] : NULL);
		}
		failed += wrong(c, "got", &b);
		buf_fini(&b);
	}
	if (r->n != c->n_want)
		failed += wrong(c, "number of series is wrong", NULL);
	return failed;
}

static int check_notes(
	const struct acase *c, const char *what, struct str want, const struct str *got, size_t n)
{
	bool found = false;
	struct buf b;

	for (size_t i = 0; i < n; i++)
		found |= want.n > 0 && has(got[i], want);
	if (found == (want.n > 0) && (want.n > 0 || n == 0))
		return 0;
	buf_init(&b, 4096);
	buf_c(&b, what);
	for (size_t i = 0; i < n; i++) {
		buf_ch(&b, ' ');
		buf_str(&b, got[i]);
	}
	wrong(c, "wrong", &b);
	buf_fini(&b);
	return 1;
}

static int check_case(const struct acase *c)
{
	struct pq_result r;
	struct buf b;
	int failed = 0;

	if (run(c, &r) != 0) {
		if (c->fails.n > 0 && has(str_c(e.msg), c->fails))
			return 0;
		buf_init(&b, 512);
		buf_c(&b, e.msg);
		failed = wrong(c, "refused:", &b);
		buf_fini(&b);
		return failed;
	}
	if (c->fails.n > 0)
		return wrong(c, "was not refused", NULL);
	failed += check_notes(c, "warnings", c->warns, r.warnings, r.n_warnings);
	failed += check_notes(c, "infos", c->notes, r.infos, r.n_infos);
	if (c->is_scalar) {
		struct pt_value v = {PT_FLOAT, c->scalar, NULL};
		bool ok = c->step == 0 && r.type == PQ_SCALAR && pt_same_value(&v, r.scalar, NULL);

		return failed + (ok ? 0 : wrong(c, "not this scalar", NULL));
	}
	if (c->is_string)
		return failed + (r.type == PQ_STRING && str_eq(r.string, c->string)
						? 0
						: wrong(c, "not this string", NULL));
	return failed + check_series(c, &r);
}

static struct str after(struct str line, const char *word)
{
	return str_trim(str_sub(line, strlen(word), line.n));
}

static struct str take(struct str *s)
{
	size_t i = str_find(*s, ' ');
	struct str w = str_sub(*s, 0, i);

	*s = str_trim(str_sub(*s, i, s->n));
	return w;
}

static bool when(struct acase *c, struct str line)
{
	struct str word = take(&line);

	if (!pt_duration(take(&line), &c->start))
		return false;
	c->end = c->start;
	if (str_eq(word, STR("at")))
		return true;
	(void)take(&line);
	if (!pt_duration(take(&line), &c->end))
		return false;
	(void)take(&line);
	return pt_duration(take(&line), &c->step);
}

static bool wanted(struct acase *c, struct str text)
{
	if (c->n_want == MAX_WANT)
		return false;
	if (text.p[0] == '"') {
		c->is_string = true;
		return pt_unquote(&mem, text, &c->string);
	}
	if (pt_number(text, &c->scalar)) {
		c->is_scalar = true;
		return true;
	}
	return pt_series(&mem, text, &c->want[c->n_want++]);
}

/* A line of a query block. */
static bool case_line(struct acase *c, struct str s)
{
	if (str_starts(s, STR("at ")) || str_starts(s, STR("from ")))
		return when(c, s);
	if (str_starts(s, STR("= ")))
		return wanted(c, after(s, "="));
	if (str_starts(s, STR("fails ")))
		c->fails = after(s, "fails");
	else if (str_starts(s, STR("warns ")))
		c->warns = after(s, "warns");
	else if (str_starts(s, STR("notes ")))
		c->notes = after(s, "notes");
	else if (str_eq(s, STR("ordered")))
		c->ordered = true;
	else
		return false;
	return true;
}

static struct mem_series *add_series(struct str text, int64_t gap)
{
	struct pt_series s;
	struct mem_series *m;

	if (!pt_series(&mem, text, &s))
		return NULL;
	m = mem_source_series(&source, s.labels);
	for (size_t i = 0; i < s.n; i++) {
		double v = s.v[i].kind == PT_STALE ? stale_nan() : s.v[i].v;

		if (s.v[i].kind != PT_NONE)
			mem_series_add(&source, m, (int64_t)i * gap, v,
				s.v[i].kind == PT_HIST ? s.v[i].h : NULL, 0);
	}
	return m;
}

static bool add_starts(struct mem_series *m, struct str text)
{
	for (size_t i = 0; m != NULL && i < m->n && text.n > 0; i++) {
		int64_t before;

		if (!pt_duration(take(&text), &before))
			return false;
		m->start[i] = m->t[i] + before;
		m->has_start = true;
	}
	return m != NULL;
}

struct reader {
	const char *file;
	int64_t gap;
	struct mem_series *last;
	struct acase c;
	bool open; /* c waits for more lines */
	int failed;
	size_t cases;
	char *seen; /* texts of all queries */
	size_t n_seen;
};

static void finish(struct reader *r)
{
	if (!r->open)
		return;
	r->failed += check_case(&r->c);
	r->cases++;
	memcpy(r->seen + r->n_seen, r->c.text.p, r->c.text.n);
	r->n_seen += r->c.text.n;
	r->seen[r->n_seen++] = '\n';
	r->open = false;
}

static bool read_line(struct reader *r, struct str s, size_t line)
{
	if (s.n == 0 || s.p[0] == '#') {
		finish(r);
		return true;
	}
	if (str_starts(s, STR("data "))) {
		finish(r);
		mem_source_init(&source, &mem);
		return pt_duration(after(s, "data"), &r->gap);
	}
	if (s.p[0] == '|')
		return (r->last = add_series(after(s, "|"), r->gap)) != NULL;
	if (s.p[0] == '/')
		return add_starts(r->last, after(s, "/"));
	if (!str_starts(s, STR("query ")))
		return r->open && case_line(&r->c, s);
	finish(r);
	r->c = (struct acase){.file = r->file, .line = line, .text = after(s, "query")};
	r->open = true;
	return true;
}

static void read_file(struct reader *r, const char *name)
{
	char path[256], *text = arena_alloc(&mem, 1 << 18, 1);
	struct str rest, line;
	size_t n, at = 0;
	FILE *in;

	(void)snprintf(path, sizeof path, DATA_DIR "/%s", name);
	in = fopen(path, "rb");
	ck_assert_ptr_nonnull(in);
	n = fread(text, 1, 1 << 18, in);
	(void)fclose(in);
	r->file = name;
	rest = str_n(text, n);
	while (str_split(&rest, '\n', &line)) {
		at++;
		if (!read_line(r, str_trim(line), at)) {
			fprintf(stderr, "%s:%zu: cannot be read\n", path, at);
			r->failed++;
		}
	}
	finish(r);
}

static int is_txt(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot != NULL && strcmp(dot, ".txt") == 0;
}

static void read_all(struct reader *r)
{
	struct dirent **names;
	int n = scandir(DATA_DIR, &names, is_txt, alphasort);

	ck_assert_int_gt(n, 5);
	r->seen = calloc(1, 1 << 18);
	ck_assert_ptr_nonnull(r->seen);
	for (int i = 0; i < n; i++) {
		mem_source_init(&source, &mem);
		read_file(r, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

START_TEST(every_case_of_the_data_files_holds)
{
	struct reader *r = calloc(1, sizeof *r);

	ck_assert_ptr_nonnull(r);
	read_all(r);
	ck_assert_int_eq(r->failed, 0);
	ck_assert_uint_ge(r->cases, 250);
	free(r->seen);
	free(r);
}
END_TEST

/* A name of a function or aggregation, followed by what makes it one. */
static bool is_called(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strstr(text, name); p != NULL; p = strstr(p + 1, name)) {
		bool begins = p == text || strchr(" (-+*/\n", p[-1]) != NULL;

		if (begins && (p[n] == '(' || p[n] == ' '))
			return true;
	}
	return false;
}

START_TEST(every_function_and_operator_has_a_case)
{
	struct reader *r = calloc(1, sizeof *r);

	ck_assert_ptr_nonnull(r);
	read_all(r);
	for (int f = 0; f < PQ_FN_COUNT; f++)
		ck_assert_msg(is_called(r->seen, pq_func((enum pq_fn)f)->name),
			"no case for the function %s", pq_func((enum pq_fn)f)->name);
	for (int a = 0; a < PQ_AGG_COUNT_OF; a++)
		ck_assert_msg(is_called(r->seen, pq_aggregation((enum pq_agg)a)->name),
			"no case for the aggregation %s", pq_aggregation((enum pq_agg)a)->name);
	for (int o = PQ_OP_OR; o <= PQ_OP_POW; o++) {
		char op[16];

		(void)snprintf(op, sizeof op, " %s ", pq_op_name((enum pq_op)o));
		ck_assert_msg(strstr(r->seen, op) != NULL, "no case for the operator%s", op);
	}
	free(r->seen);
	free(r);
}
END_TEST

/* --- limits --- */

static void fill(size_t series, size_t samples)
{
	for (size_t s = 0; s < series; s++) {
		char name[32];
		struct label l[2] = {{LABEL_NAME, STR("m_total")}, {STR("i"), STR_NULL}};
		struct mem_series *m;

		(void)snprintf(name, sizeof name, "%zu", s);
		l[1].value = str_c(name);
		m = mem_source_series(&source, (struct labels){l, 2});
		for (size_t i = 0; i < samples; i++)
			mem_series_add(&source, m, (int64_t)i * 1000, (double)i, NULL, 0);
	}
}

static int ask(const char *text, struct pq_params p, size_t memory)
{
	struct select_source src = mem_source_select(&source);
	const struct pq_expr *x;
	struct pq_result r;

	arena_fini(&query_mem);
	arena_init(&query_mem, memory);
	e = (struct err){0};
	p.lookback_ms = 300000;
	p.interval_ms = 60000;
	x = pq_parse(&query_mem, str_c(text), true, &e);
	ck_assert_ptr_nonnull(x);
	return pq_eval(&query_mem, x, &p, &src, &r, &e);
}

START_TEST(too_many_samples_are_refused)
{
	fill(10, 100);
	ck_assert_int_eq(
		ask("sum(rate(m_total[1m]))",
			(struct pq_params){
				.start_ms = 99000, .end_ms = 99000, .max_samples = 10 * 60},
			(size_t)1 << 20),
		0);
	ck_assert_int_eq(
		ask("sum(rate(m_total[1m]))",
			(struct pq_params){
				.start_ms = 99000, .end_ms = 99000, .max_samples = 10 * 60 - 1},
			(size_t)1 << 20),
		-1);
	ck_assert_int_eq(e.kind, ERR_LIMIT);
}
END_TEST

START_TEST(more_memory_than_the_arena_has_is_refused)
{
	fill(50, 10);
	ck_assert_int_eq(ask("sort(m_total) * on(i) m_total",
				 (struct pq_params){.end_ms = 9000, .step_ms = 1}, (size_t)1 << 20),
		-1);
	ck_assert_int_eq(e.kind, ERR_LIMIT);
	/* an absurd subquery is refused before it is computed */
	ck_assert_int_eq(ask("count_over_time(vector(1)[10y:1ms])",
				 (struct pq_params){.start_ms = 0}, (size_t)16 << 20),
		-1);
	ck_assert_int_eq(e.kind, ERR_LIMIT);
}
END_TEST

START_TEST(too_many_steps_are_refused)
{
	ck_assert_int_eq(
		ask("1", (struct pq_params){.end_ms = 11001, .step_ms = 1}, (size_t)1 << 20), -1);
	ck_assert_int_eq(e.kind, ERR_LIMIT);
	ck_assert_int_eq(
		ask("1", (struct pq_params){.end_ms = 11000, .step_ms = 1}, (size_t)1 << 20), 0);
}
END_TEST

START_TEST(a_cancelled_query_ends)
{
	atomic_bool cancel = true;

	fill(2, 2);
	ck_assert_int_eq(
		ask("m_total", (struct pq_params){.cancel = &cancel}, (size_t)1 << 20), -1);
	ck_assert_int_eq(e.kind, ERR_CANCEL);
}
END_TEST

START_TEST(a_query_ends_at_its_deadline)
{
	fill(100, 1000);
	clock_inject(1000000, 0);
	ck_assert_int_eq(ask("quantile_over_time(0.5, m_total[10m])",
				 (struct pq_params){
					 .end_ms = 999000, .step_ms = 1000, .deadline_mono_ms = 1},
				 (size_t)8 << 20),
		-1);
	clock_restore();
	ck_assert_int_eq(e.kind, ERR_CANCEL);
}
END_TEST

/* Whatever amount of memory there is: an answer or a clean refusal. */
START_TEST(any_refusal_of_memory_is_clean)
{
	static const char *const texts[] = {
		"sum by (i) (rate(m_total[1m])) / on(i) group_left m_total",
		"topk(2, label_replace(m_total, \"x\", \"$1\", \"i\", \"(.*)\")) or m_total",
		"histogram_quantile(0.5, m_total) or count_values(\"v\", m_total)",
		"quantile(0.5, avg_over_time(m_total[1m:5s])) + scalar(m_total)",
	};

	fill(6, 20);
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		bool done = false;

		for (size_t kb = 8; kb < 2048 && !done; kb += 8) {
			struct pq_params p = {.end_ms = 19000, .step_ms = 1000};
			struct select_source src = mem_source_select(&source);
			struct pq_result r;
			const struct pq_expr *x;

			arena_fini(&query_mem);
			arena_init(&query_mem, kb << 10);
			e = (struct err){0};
			p.lookback_ms = 300000;
			x = pq_parse(&query_mem, str_c(texts[t]), true, &e);
			done = x != NULL && pq_eval(&query_mem, x, &p, &src, &r, &e) == 0;
			ck_assert(done || e.kind == ERR_LIMIT);
		}
		ck_assert(done);
	}
}
END_TEST

static void must_ask(
	const char *text, int64_t start, int64_t end, int64_t step, struct pq_result *r)
{
	struct acase c = {.text = str_c(text), .start = start, .end = end, .step = step};

	if (run(&c, r) != 0)
		ck_abort_msg("%s: %s", text, e.msg);
}

static struct mem_series *series_of(const char *name, const char *i)
{
	struct label ls[] = {{STR("__name__"), str_c(name)}, {STR("i"), str_c(i)}};

	return mem_source_series(&source, (struct labels){ls, 2});
}

static uint64_t seed;

static unsigned draw(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % n;
}

/* The same counter twice, with resets and odd values; round says how regular it is. */
static void put_twice(unsigned round)
{
	int64_t t = 1000 + draw(20000);
	double v = draw(3) == 0 ? draw(40) : 1e6 * draw(1000) + 0.25;

	for (unsigned i = 0; i < 200; i++) {
		unsigned what = draw(300);
		double x;

		t += round % 3 == 0 ? 15000 : round % 3 == 1 ? 14990 + draw(20) : 1 + draw(60000);
		v = what < 4 ? draw(10) : what == 4 ? -v : v + draw(100) / 8.0;
		x = what == 5 ? normal_nan() : what == 6 ? INFINITY : v;
		mem_series_add(&source, series_of("a_total", "1"), t, x, NULL, 0);
		mem_series_add(&source, series_of("b_total", "1"), t, x, NULL, 0);
	}
}

/* Start timestamps, even unknown ones, take the way of single windows. */
START_TEST(rates_with_start_timestamps_that_say_nothing_are_those_without)
{
	static const char *const calls[] = {"rate", "increase", "delta"};
	static const char *const widths[] = {"20s", "45s", "1m", "5m", "30m"};

	for (unsigned round = 0; round < 90; round++) {
		const char *call = calls[round / 3 % 3], *width = widths[round % 5];
		double plain[300];
		struct pq_result r;
		char text[64];
		size_t n;

		teardown();
		setup();
		seed = round + 1;
		put_twice(round);
		series_of("b_total", "1")->has_start = true;
		(void)snprintf(text, sizeof text, "%s(a_total[%s])", call, width);
		must_ask(text, 0, 199 * 16000, 16000, &r);
		ck_assert_uint_eq(r.n, 1);
		n = r.series[0].n;
		ck_assert_uint_gt(n, 5);
		memcpy(plain, r.series[0].v, n * sizeof *plain);
		text[strlen(call) + 1] = 'b';
		must_ask(text, 0, 199 * 16000, 16000, &r);
		ck_assert_uint_eq(r.n, 1);
		ck_assert_uint_eq(r.series[0].n, n);
		for (size_t i = 0; i < n; i++)
			ck_assert(isnan(plain[i])
					  ? isnan(r.series[0].v[i])
					  : f64_bits(r.series[0].v[i]) == f64_bits(plain[i]));
	}
}
END_TEST

/* Bounds of windows are kept from one series to the next: same times, others, fewer, no floats. */
START_TEST(a_series_among_others_has_the_windows_it_has_alone)
{
	static const char *const calls[] = {"rate", "count_over_time", "last_over_time", "changes"};
	static const struct hist h = {.count = 1, .sum = 1};
	struct pq_result all, one;
	char text[80];

	seed = 3;
	for (char i = 'a'; i < 'q'; i++) {
		struct mem_series *s = series_of("m_total", (char[]){i, 0});
		int64_t t = i / 3 % 2 == 0 ? 5000 : 9000;

		for (unsigned k = i % 4 == 0 ? 7 : 0; k < 60; k++)
			mem_series_add(&source, s, t + k * INT64_C(15000), draw(1000),
				i % 5 == 0 ? &h : NULL, 0);
	}
	for (size_t k = 0; k < ARRAY_LEN(calls); k++) {
		(void)snprintf(text, sizeof text, "%s(m_total[2m])", calls[k]);
		must_ask(text, 0, 900000, 20000, &all);
		ck_assert_uint_eq(all.n, 'q' - 'a');
		for (char i = 'a'; i < 'q'; i++) {
			const struct pq_series *s = &all.series[i - 'a'];
			double v[64];
			size_t n;

			ck_assert_int_eq(labels_get(s->labels, STR("i")).p[0], i);
			n = s->n;
			ck_assert_uint_le(n, ARRAY_LEN(v));
			memcpy(v, s->v, n * sizeof *v);
			(void)snprintf(text, sizeof text, "%s(m_total{i=\"%c\"}[2m])", calls[k], i);
			must_ask(text, 0, 900000, 20000, &one);
			ck_assert_uint_eq(one.n, 1);
			ck_assert_uint_eq(one.series[0].n, n);
			ck_assert_mem_eq(one.series[0].v, v, n * sizeof *v);
			(void)snprintf(text, sizeof text, "%s(m_total[2m])", calls[k]);
			must_ask(text, 0, 900000, 20000, &all);
		}
	}
}
END_TEST

/* Steps are added up in pairs where that changes nothing. */
START_TEST(a_sum_over_steps_is_the_sum_at_each_of_them)
{
	static const double odd[] = {1e308, -1e308, INFINITY, -INFINITY, NAN, 1e-300, -0.0};
	struct pq_result r;
	double v[31];

	seed = 7;
	for (char i = 'a'; i < 'm'; i++) {
		struct mem_series *s = series_of("m", (char[]){i, 0});

		for (int64_t t = 0; t < (int64_t)ARRAY_LEN(v); t++) {
			double x =
				draw(12) == 0 ? odd[draw(ARRAY_LEN(odd))] : draw(1000) * 1e13 + 0.1;

			mem_series_add(
				&source, s, t * 1000, draw(5) > 0 ? x : stale_nan(), NULL, 0);
		}
	}
	must_ask("sum(m)", 0, 30000, 1000, &r);
	ck_assert_uint_eq(r.series[0].n, ARRAY_LEN(v));
	memcpy(v, r.series[0].v, sizeof v);
	for (int64_t t = 0; t < (int64_t)ARRAY_LEN(v); t++) {
		must_ask("sum(m)", t * 1000, t * 1000, 1000, &r);
		ck_assert(isnan(v[t]) ? isnan(r.series[0].v[0])
				      : f64_bits(v[t]) == f64_bits(r.series[0].v[0]));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_eval");
	TCase *t = tcase_create("eval");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, every_case_of_the_data_files_holds);
	tcase_add_test(t, every_function_and_operator_has_a_case);
	tcase_add_test(t, too_many_samples_are_refused);
	tcase_add_test(t, more_memory_than_the_arena_has_is_refused);
	tcase_add_test(t, too_many_steps_are_refused);
	tcase_add_test(t, a_cancelled_query_ends);
	tcase_add_test(t, a_query_ends_at_its_deadline);
	tcase_add_test(t, any_refusal_of_memory_is_clean);
	tcase_add_test(t, rates_with_start_timestamps_that_say_nothing_are_those_without);
	tcase_add_test(t, a_series_among_others_has_the_windows_it_has_alone);
	tcase_add_test(t, a_sum_over_steps_is_the_sum_at_each_of_them);
	suite_add_tcase(s, t);
	return suite_run(s);
}
