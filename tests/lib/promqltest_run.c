/* SPDX-License-Identifier: Apache-2.0 */
/* promqltest_run - commands of a file, queries and comparison; see promqltest.h. */
#include <float.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f64.h"
#include "base/num.h"
#include "rules/promql/ast.h"
#include "rules/promql/hist_buckets.h"
#include "tests/lib/promqltest.h"

#define MAX_EXPECT 400

struct note {
	enum { NOTE_ANY, NOTE_MSG, NOTE_REGEX } kind;
	struct str text;
};

struct eval {
	size_t line;
	struct str expr, string;
	int64_t start, end, step;
	bool is_range, is_matrix, is_scalar, is_string, fail, ordered, no_warn, no_info;
	int64_t m_start, m_step;
	double scalar;
	struct note warn[8], info[8];
	size_t n_warn, n_info;
	struct pt_series want[MAX_EXPECT];
	size_t n_want;
};

struct file {
	struct arena a, query;
	struct mem_source src;
	struct str *lines;
	size_t n_lines, at;
	struct buf why;
	const char *path;
	bool verbose;
};

/* --- comparing --- */

static bool almost(double a, double b)
{
	double sum = fabs(a) + fabs(b), diff = fabs(a - b);

	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b);
	if (a == b)
		return true;
	if (a == 0 || b == 0 || sum < DBL_MIN)
		return diff < 1e-6 * DBL_MIN;
	return diff / fmin(sum, DBL_MAX) < 1e-6;
}

static bool same_hist(const struct hist *x, const struct hist *y)
{
	struct arena a;
	size_t n, m, i = 0, j = 0;
	struct hist_bucket *b, *c;
	bool same = almost(x->count, y->count) && almost(x->sum, y->sum);

	arena_init(&a, (size_t)8 << 20);
	b = hist_buckets(&a, x, &n);
	c = hist_buckets(&a, y, &m);
	while (same) {
		while (i < n && b[i].count == 0)
			i++;
		while (j < m && c[j].count == 0)
			j++;
		if (i == n || j == m) {
			same = i == n && j == m;
			break;
		}
		same = almost(b[i].lower, c[j].lower) && almost(b[i].upper, c[j].upper) &&
		       almost(b[i].count, c[j].count) && b[i].lower_incl == c[j].lower_incl &&
		       b[i].upper_incl == c[j].upper_incl;
		i++;
		j++;
	}
	arena_fini(&a);
	return same;
}

bool pt_same_value(const struct pt_value *want, double v, const struct hist *h)
{
	if (want->kind == PT_HIST)
		return h != NULL && same_hist(want->h, h);
	return want->kind == PT_FLOAT && h == NULL && almost(want->v, v);
}

void pt_print_value(struct buf *b, double v, const struct hist *h)
{
	struct arena a;

	if (h == NULL) {
		f64_print(b, v);
		return;
	}
	arena_init(&a, (size_t)8 << 20);
	hist_print(&a, b, h);
	arena_fini(&a);
}

static void print_want(struct buf *b, const struct pt_value *v)
{
	if (v->kind == PT_NONE || v->kind == PT_STALE)
		buf_c(b, v->kind == PT_NONE ? "nothing" : "stale");
	else
		pt_print_value(b, v->v, v->kind == PT_HIST ? v->h : NULL);
}

static bool differs(struct file *f, struct labels ls, const struct pt_value *want, double v,
	const struct hist *h, bool have)
{
	labels_print(&f->why, ls, true);
	buf_c(&f->why, ": expected ");
	print_want(&f->why, want);
	buf_c(&f->why, ", got ");
	if (have)
		pt_print_value(&f->why, v, h);
	else
		buf_c(&f->why, "nothing");
	return false;
}

static const struct pt_series *find_want(const struct eval *ev, struct labels ls, size_t *at)
{
	for (*at = 0; *at < ev->n_want; ++*at) {
		if (labels_eq(ev->want[*at].labels, ls))
			return &ev->want[*at];
	}
	return NULL;
}

static bool unexpected(struct file *f, const struct pq_series *s)
{
	buf_c(&f->why, "unexpected series ");
	labels_print(&f->why, s->labels, true);
	buf_c(&f->why, " = ");
	for (size_t i = 0; i < s->n && i < 20; i++) {
		pt_print_value(&f->why, s->v[i], s->h != NULL ? s->h[i] : NULL);
		buf_ch(&f->why, ' ');
	}
	return false;
}

static bool check_matrix(struct file *f, const struct eval *ev, const struct pq_result *r,
	int64_t start, int64_t step)
{
	size_t at, found = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct pq_series *s = &r->series[i];
		const struct pt_series *w = find_want(ev, s->labels, &at);
		size_t p = 0;

		if (i > 0 && labels_cmp(r->series[i - 1].labels, s->labels) >= 0) {
			buf_c(&f->why, "matrix is not sorted by labels");
			return false;
		}
		if (w == NULL)
			return unexpected(f, s);
		found++;
		for (size_t k = 0; k < w->n; k++) {
			int64_t t = start + (int64_t)k * step;
			bool have = p < s->n && s->t[p] == t;

			if (have != (w->v[k].kind != PT_NONE) ||
				(have && !pt_same_value(&w->v[k], s->v[p],
						 s->h != NULL ? s->h[p] : NULL))) {
				buf_printf(&f->why, "at %lld: ", (long long)t);
				return differs(f, s->labels, &w->v[k], have ? s->v[p] : 0,
					have && s->h != NULL ? s->h[p] : NULL, have);
			}
			p += have;
		}
		if (p != s->n)
			return unexpected(f, s);
	}
	if (found != ev->n_want)
		buf_printf(&f->why, "%zu series of %zu", found, ev->n_want);
	return found == ev->n_want;
}

static bool check_scalar(struct file *f, const struct eval *ev, double v)
{
	struct pt_value want = {PT_FLOAT, ev->scalar, NULL};

	if (ev->is_scalar && almost(ev->scalar, v))
		return true;
	return differs(f, (struct labels){NULL, 0}, &want, v, NULL, true);
}

/* Points at time t. */
static bool check_vector(
	struct file *f, const struct eval *ev, const struct pq_result *r, int64_t t, bool ordered)
{
	size_t found = 0, at;

	for (size_t i = 0; i < r->n; i++) {
		const struct pq_series *s = &r->series[i];
		const struct pt_series *w;
		const struct hist *h;
		size_t p = 0;

		while (p < s->n && s->t[p] != t)
			p++;
		if (p == s->n)
			continue;
		h = s->h != NULL ? s->h[p] : NULL;
		w = find_want(ev, s->labels, &at);
		if (w == NULL)
			return unexpected(f, s);
		if (ordered && at != found) {
			buf_printf(&f->why, "at position %zu, expected %zu: ", found, at);
			return unexpected(f, s);
		}
		found++;
		if (w->n == 0 || !pt_same_value(&w->v[0], s->v[p], h))
			return differs(f, s->labels, &w->v[0], s->v[p], h, true);
	}
	if (found != ev->n_want)
		buf_printf(&f->why, "%zu series of %zu", found, ev->n_want);
	return found == ev->n_want;
}

/* --- annotations --- */

static bool has(struct str s, struct str part)
{
	for (size_t i = 0; i + part.n <= s.n; i++) {
		if (memcmp(s.p + i, part.p, part.n) == 0)
			return true;
	}
	return false;
}

static bool note_matches(const struct note *n, struct str text)
{
	char pattern[512], subject[1024];
	regex_t re;
	bool ok;

	if (n->kind == NOTE_ANY)
		return true;
	if (n->kind == NOTE_MSG)
		return str_eq(n->text, text) ||
		       (has(text, n->text) && text.n < n->text.n + 12 && text.p[n->text.n] == ' ');
	(void)snprintf(pattern, sizeof pattern, STR_FMT, (int)n->text.n, n->text.p);
	(void)snprintf(subject, sizeof subject, "%.*s", (int)text.n, text.p);
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	ok = regexec(&re, subject, 0, NULL, 0) == 0;
	regfree(&re);
	return ok;
}

static bool check_notes(struct file *f, const char *what, const struct note *want, size_t n_want,
	bool none, const struct str *got, size_t n_got)
{
	bool ok = !(none && n_got > 0) && !(n_want > 0 && n_got == 0);

	for (size_t i = 0; ok && i < n_want; i++) {
		bool any = false;

		for (size_t k = 0; k < n_got; k++)
			any |= note_matches(&want[i], got[k]);
		ok = any;
	}
	for (size_t k = 0; ok && n_want > 0 && k < n_got; k++) {
		bool any = false;

		for (size_t i = 0; i < n_want; i++)
			any |= note_matches(&want[i], got[k]);
		ok = any;
	}
	if (ok)
		return true;
	buf_printf(&f->why, "%s expected %zu, got", what, n_want);
	for (size_t k = 0; k < n_got; k++) {
		buf_c(&f->why, " [");
		buf_str(&f->why, got[k]);
		buf_ch(&f->why, ']');
	}
	return false;
}

/* --- queries --- */

static int query(struct file *f, const struct eval *ev, int64_t start, int64_t end, int64_t step,
	struct pq_result *r, struct err *e)
{
	struct select_source src = mem_source_select(&f->src);
	struct pq_params p = {.start_ms = start,
		.end_ms = end,
		.step_ms = step,
		.lookback_ms = 300000,
		.max_samples = 50000000,
		.interval_ms = 60000,
		.experimental = true};
	const struct pq_expr *x;

	arena_fini(&f->query);
	*e = (struct err){0};
	x = pq_parse(&f->query, ev->expr, true, e);
	if (x != NULL && end == start) /* explained, nothing may be different */
		p.costs = ARENA_ARRAY(&f->query, pq_node_count(x), struct pq_cost);
	if (x == NULL)
		return -1;
	return pq_eval(&f->query, x, &p, &src, r, e);
}

static bool refused(struct file *f, const struct eval *ev, const struct err *e)
{
	if (!ev->fail)
		buf_printf(&f->why, "query failed: %s", e->msg);
	return ev->fail;
}

static bool mentions_range(struct str expr)
{
	return has(expr, STR("start()")) || has(expr, STR("end()")) || has(expr, STR("range()")) ||
	       has(expr, STR("step()"));
}

static bool check_notes_both(struct file *f, const struct eval *ev, const struct pq_result *r)
{
	return check_notes(f, "warnings", ev->warn, ev->n_warn, ev->no_warn, r->warnings,
		       r->n_warnings) &&
	       check_notes(f, "infos", ev->info, ev->n_info, ev->no_info, r->infos, r->n_infos);
}

static bool as_range(struct file *f, const struct eval *ev)
{
	struct pq_result r;
	struct err e;

	if (query(f, ev, ev->start - 60000, ev->start + 60000, 60000, &r, &e) != 0) {
		buf_printf(&f->why, "as range query: %s", e.msg);
		return false;
	}
	if (ev->ordered)
		return true;
	buf_c(&f->why, "as range query: ");
	if (ev->is_scalar)
		return r.n == 1 && r.series[0].n == 3 && check_scalar(f, ev, r.series[0].v[1]);
	return check_vector(f, ev, &r, ev->start, false);
}

static bool run_instant(struct file *f, const struct eval *ev)
{
	struct pq_result r;
	struct err e;

	if (query(f, ev, ev->start, ev->start, 0, &r, &e) != 0)
		return refused(f, ev, &e);
	if (ev->fail) {
		buf_c(&f->why, "expected the query to fail");
		return false;
	}
	if (!check_notes_both(f, ev, &r))
		return false;
	switch (r.type) {
	case PQ_SCALAR:
		if (!check_scalar(f, ev, r.scalar))
			return false;
		break;
	case PQ_STRING: return str_eq(r.string, ev->string);
	case PQ_MATRIX: return ev->is_matrix && check_matrix(f, ev, &r, ev->m_start, ev->m_step);
	case PQ_VECTOR:
		if (ev->is_scalar || !check_vector(f, ev, &r, ev->start, ev->ordered))
			return false;
		break;
	}
	return mentions_range(ev->expr) || as_range(f, ev);
}

static bool run_range(struct file *f, const struct eval *ev)
{
	struct pq_result r;
	struct err e;

	if (query(f, ev, ev->start, ev->end, ev->step, &r, &e) != 0)
		return refused(f, ev, &e);
	if (ev->fail) {
		buf_c(&f->why, "expected the query to fail");
		return false;
	}
	return check_notes_both(f, ev, &r) && check_matrix(f, ev, &r, ev->start, ev->step);
}

/* --- commands --- */

static bool parse_head(struct eval *ev, struct str line)
{
	struct str cmd = pt_word(&line), kind = pt_word(&line);

	ev->fail = str_ends(cmd, STR("_fail"));
	ev->ordered = str_ends(cmd, STR("_ordered"));
	if (str_ends(cmd, STR("_warn")))
		ev->n_warn = 1;
	if (str_ends(cmd, STR("_info")))
		ev->n_info = 1;
	if (str_eq(kind, STR("instant"))) {
		(void)pt_word(&line); /* at */
		if (!pt_duration(pt_word(&line), &ev->start))
			return false;
	} else {
		ev->is_range = true;
		(void)pt_word(&line);
		if (!pt_duration(pt_word(&line), &ev->start))
			return false;
		(void)pt_word(&line);
		if (!pt_duration(pt_word(&line), &ev->end))
			return false;
		(void)pt_word(&line);
		if (!pt_duration(pt_word(&line), &ev->step))
			return false;
	}
	ev->expr = line;
	return true;
}

static void add_note(struct note *list, size_t *n, struct str rest)
{
	if (*n == 8)
		return;
	if (str_starts(rest, STR("msg:")))
		list[(*n)++] = (struct note){NOTE_MSG, str_trim(str_sub(rest, 4, rest.n))};
	else if (str_starts(rest, STR("regex:")))
		list[(*n)++] = (struct note){NOTE_REGEX, str_trim(str_sub(rest, 6, rest.n))};
	else
		list[(*n)++] = (struct note){NOTE_ANY, STR_NULL};
}

static bool parse_expect(struct file *f, struct eval *ev, struct str line)
{
	struct str what;
	int64_t end;

	(void)pt_word(&line);
	what = pt_word(&line);
	if (str_eq(what, STR("fail")))
		ev->fail = true;
	else if (str_eq(what, STR("ordered")))
		ev->ordered = true;
	else if (str_eq(what, STR("no_warn")))
		ev->no_warn = true;
	else if (str_eq(what, STR("no_info")))
		ev->no_info = true;
	else if (str_eq(what, STR("warn")))
		add_note(ev->warn, &ev->n_warn, line);
	else if (str_eq(what, STR("info")))
		add_note(ev->info, &ev->n_info, line);
	else if (str_eq(what, STR("string")))
		return pt_unquote(&f->a, line, &ev->string);
	if (!str_eq(what, STR("range")))
		return true;
	ev->is_matrix = true;
	(void)pt_word(&line); /* vector */
	(void)pt_word(&line); /* from */
	if (!pt_duration(pt_word(&line), &ev->m_start))
		return false;
	(void)pt_word(&line);
	if (!pt_duration(pt_word(&line), &end))
		return false;
	ev->start = end;
	(void)pt_word(&line);
	return pt_duration(pt_word(&line), &ev->m_step);
}

static bool parse_eval(struct file *f, struct eval *ev)
{
	*ev = (struct eval){.line = f->at + 1};
	if (!parse_head(ev, f->lines[f->at]))
		return false;
	while (f->at + 1 < f->n_lines && f->lines[f->at + 1].n > 0) {
		struct str line = f->lines[++f->at];

		if (str_starts(line, STR("expect "))) {
			if (!parse_expect(f, ev, line))
				return false;
		} else if (str_starts(line, STR("expected_fail_"))) {
			continue;
		} else if (pt_number(line, &ev->scalar)) {
			ev->is_scalar = true;
		} else if (ev->n_want == MAX_EXPECT ||
			   !pt_series(&f->a, line, &ev->want[ev->n_want++])) {
			return false;
		}
	}
	return true;
}

/* --- files --- */

static bool read_lines(struct file *f, const char *path)
{
	FILE *in = fopen(path, "rb");
	char *text = arena_alloc(&f->a, (size_t)1 << 20, 1);
	struct str rest, line;
	size_t n;

	if (in == NULL || text == NULL)
		return false;
	n = fread(text, 1, ((size_t)1 << 20) - 1, in);
	(void)fclose(in);
	f->lines = ARENA_ARRAY(&f->a, n + 1, struct str);
	rest = str_n(text, n);
	while (f->lines != NULL && str_split(&rest, '\n', &line)) {
		line = str_trim(line);
		if (line.n > 0 && line.p[0] == '#')
			line = STR("");
		f->lines[f->n_lines++] = line;
	}
	return f->lines != NULL;
}

static void run_eval(struct file *f, struct eval *ev, struct pt_counts *c)
{
	bool ok = ev->is_range ? run_range(f, ev) : run_instant(f, ev);

	if (ok) {
		c->passed++;
	} else {
		c->failed++;
		if (f->verbose)
			fprintf(stderr, "FAIL %s:%zu  %.*s\n     %.*s\n", f->path, ev->line,
				(int)ev->expr.n, ev->expr.p, (int)f->why.n,
				f->why.p != NULL ? f->why.p : "");
	}
	buf_reset(&f->why);
}

bool pt_run_file(const char *path, bool verbose, struct pt_counts *c)
{
	struct file f = {.path = path, .verbose = verbose};
	struct eval *ev = malloc(sizeof *ev);
	bool ok;

	*c = (struct pt_counts){0};
	arena_init(&f.a, (size_t)512 << 20);
	arena_init(&f.query, (size_t)256 << 20);
	buf_init(&f.why, 65536);
	mem_source_init(&f.src, &f.a);
	ok = ev != NULL && read_lines(&f, path);
	for (; ok && f.at < f.n_lines; f.at++) {
		struct str line = f.lines[f.at];

		if (str_starts(line, STR("clear"))) {
			mem_source_init(&f.src, &f.a);
		} else if (str_starts(line, STR("load"))) {
			ok = pt_load(&f.a, &f.src, f.lines, f.n_lines, &f.at);
		} else if (str_starts(line, STR("eval"))) {
			ok = parse_eval(&f, ev);
			if (ok)
				run_eval(&f, ev, c);
		} else {
			ok = line.n == 0;
		}
	}
	if (!ok)
		fprintf(stderr, "%s:%zu: cannot be read as a promqltest file\n", path, f.at + 1);
	free(ev);
	arena_fini(&f.query);
	arena_fini(&f.a);
	buf_fini(&f.why);
	return ok;
}
