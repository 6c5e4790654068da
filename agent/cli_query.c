/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_query - belfry query: an expression asked of a running belfry, or of any server of
 * Prometheus's API, as a table, JSON, CSV or lines of block characters.
 */
#include <math.h>
#include <stdlib.h>

#include "agent/cli.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/num.h"

#define USAGE         "query " CLI_QUERY_ARGS
#define STEPS         120 /* of a range without a step */
#define GRAPH_COLUMNS 60

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV, FORMAT_GRAPH };

struct wish {
	const char *time, *start, *end, *step;
	enum format format;
	bool range, explain;
};

/* ---- the question ---- */

static bool put_time(struct buf *path, const char *key, const char *text, int64_t missing)
{
	int64_t ms = missing;

	if (text != NULL && !cli_time(str_c(text), clock_wall_ms(), &ms))
		return false;
	buf_printf(path, "&%s=%lld.%03d", key, (long long)(ms / 1000), (int)(ms % 1000));
	return true;
}

static int no_time(const char *option, const char *text, struct err *e)
{
	return err_set(e, ERR_INPUT, 0,
		"%s: \"%.100s\" is no time; write 2026-01-31T12:00:00Z, seconds since 1970, now or "
		"-2h",
		option, text);
}

/* A duration, or seconds as the API takes them. */
static int step_of(const char *text, int64_t *ms, struct err *e)
{
	double seconds;

	if (str_to_f64(str_c(text), &seconds) && seconds > 0 && seconds < 1e9) {
		*ms = MAX_OF(num_clamp_i64(round(seconds * 1000)), 1);
		return 0;
	}
	return dur_parse(str_c(text), ms, e) == 0 ? 0 : err_wrap(e, "--step");
}

static int range(const struct wish *w, struct buf *path, struct err *e)
{
	int64_t now = clock_wall_ms(), start, end = now, step;

	if (w->end != NULL && !cli_time(str_c(w->end), now, &end))
		return no_time("--end", w->end, e);
	start = end - 3600000;
	if (w->start != NULL && !cli_time(str_c(w->start), now, &start))
		return no_time("--start", w->start, e);
	step = MAX_OF((end - start) / STEPS / 1000 * 1000, 1000);
	if (w->step != NULL && step_of(w->step, &step, e) != 0)
		return -1;
	buf_printf(path, "&start=%lld.%03d&end=%lld.%03d&step=%lld.%03d", (long long)(start / 1000),
		(int)(start % 1000), (long long)(end / 1000), (int)(end % 1000),
		(long long)(step / 1000), (int)(step % 1000));
	return 0;
}

static int question(const struct wish *w, const char *expr, struct buf *path, struct err *e)
{
	buf_c(path, w->range ? "/api/v1/query_range?query=" : "/api/v1/query?query=");
	cli_encode(path, str_c(expr));
	if (w->explain)
		buf_c(path, "&explain=true");
	if (w->range && w->time != NULL)
		return err_set(e, ERR_INPUT, 0, "give --time, or --start, --end and --step");
	if (w->range)
		return range(w, path, e);
	if (w->time != NULL && !put_time(path, "time", w->time, 0))
		return no_time("--time", w->time, e);
	if (w->format == FORMAT_GRAPH)
		return err_set(e, ERR_INPUT, 0, "a graph needs --start");
	return 0;
}

/* ---- the answer ---- */

static void put_metric(struct buf *b, const json_t *metric)
{
	static const char *const skip[] = {"__name__", NULL};
	struct buf rest;

	cli_clean(b, cli_member(metric, "__name__"));
	buf_init(&rest, 1u << 20);
	cli_labels(&rest, metric, skip);
	if (rest.n > 0 || b->n == 0)
		buf_printf(b, "{%s}", rest.p != NULL ? rest.p : "");
	buf_fini(&rest);
}

/* What stands beside the time of a point: a number, or a histogram in short. */
static void put_value(struct buf *b, const json_t *v)
{
	if (json_is_object(v))
		buf_printf(b, "count %s sum %s", json_string_value(json_object_get(v, "count")),
			json_string_value(json_object_get(v, "sum")));
	else
		cli_clean(b, cli_member(v, NULL));
}

static void put_time_cell(struct buf *b, const json_t *t)
{
	time_print_rfc3339(b, num_clamp_i64(round(json_number_value(t) * 1000)));
}

struct out {
	enum format format;
	struct cli_table table;
	struct buf b;
};

static void csv_cell(struct str s, bool last)
{
	bool quote = false;

	for (size_t i = 0; i < s.n; i++)
		quote = quote || strchr(",\"\n\r", s.p[i]) != NULL;
	if (quote)
		(void)putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			(void)putchar('"');
		(void)putchar(s.p[i]);
	}
	if (quote)
		(void)putchar('"');
	(void)putchar(last ? '\n' : ',');
}

static void cell(struct out *o, bool last)
{
	if (o->format == FORMAT_CSV)
		csv_cell(buf_view(&o->b), last);
	else
		cli_table_cell(&o->table, buf_view(&o->b));
	buf_reset(&o->b);
}

static void point(struct out *o, const json_t *metric, const json_t *p)
{
	put_time_cell(&o->b, json_array_get(p, 0));
	cell(o, false);
	put_value(&o->b, json_array_get(p, 1));
	cell(o, false);
	put_metric(&o->b, metric);
	cell(o, true);
}

static void points(struct out *o, const json_t *series, const char *key)
{
	size_t i;
	json_t *p;

	json_array_foreach(json_object_get(series, key), i, p)
		point(o, json_object_get(series, "metric"), p);
}

static void rows(struct out *o, const json_t *data)
{
	struct str type = cli_member(data, "resultType");
	const json_t *result = json_object_get(data, "result");
	size_t i;
	json_t *s;

	if (str_eq(type, STR("scalar")) || str_eq(type, STR("string"))) {
		point(o, NULL, result);
		return;
	}
	json_array_foreach((json_t *)(uintptr_t)result, i, s)
	{
		const json_t *p = json_object_get(s, "value");

		if (p == NULL)
			p = json_object_get(s, "histogram");
		if (p != NULL)
			point(o, json_object_get(s, "metric"), p);
		points(o, s, "values");
		points(o, s, "histograms");
	}
}

/* ---- graphs ---- */

struct span {
	double t0, t1, min, max, last;
};

static double value_of(const json_t *p)
{
	double v;

	return str_to_f64(cli_member(json_array_get(p, 1), NULL), &v) ? v : nan("");
}

static void find_span(const json_t *result, struct span *x)
{
	size_t i, k;
	json_t *s, *p;

	*x = (struct span){INFINITY, -INFINITY, 0, 0, 0};
	json_array_foreach((json_t *)(uintptr_t)result, i, s)
	{
		json_array_foreach(json_object_get(s, "values"), k, p)
		{
			double t = json_number_value(json_array_get(p, 0));

			x->t0 = fmin(x->t0, t);
			x->t1 = fmax(x->t1, t);
		}
	}
}

/* One line: the largest value of each column; the scale is the series' own. */
static void spark(const json_t *series, const struct span *all, struct buf *b)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	double column[GRAPH_COLUMNS], min = INFINITY, max = -INFINITY, last = nan("");
	double width = all->t1 > all->t0 ? all->t1 - all->t0 : 1;
	size_t i;
	json_t *p;

	for (i = 0; i < GRAPH_COLUMNS; i++)
		column[i] = nan("");
	json_array_foreach(json_object_get(series, "values"), i, p)
	{
		double t = json_number_value(json_array_get(p, 0)), v = value_of(p);
		size_t at = (size_t)fmin(GRAPH_COLUMNS - 1, (t - all->t0) / width * GRAPH_COLUMNS);

		if (!isfinite(v))
			continue;
		column[at] = isnan(column[at]) ? v : fmax(column[at], v);
		min = fmin(min, v);
		max = fmax(max, v);
		last = v;
	}
	for (i = 0; i < GRAPH_COLUMNS; i++) {
		double share = max > min ? (column[i] - min) / (max - min) : 0.5;

		buf_c(b, isnan(column[i]) ? " " : blocks[(size_t)fmin(7, share * 8)]);
	}
	if (isnan(last))
		buf_c(b, "  no finite value");
	else
		buf_printf(b, "  %.4g to %.4g, last %.4g", min, max, last);
}

static void graph(const json_t *data)
{
	const json_t *result = json_object_get(data, "result");
	struct span x;
	struct buf b;
	size_t i;
	json_t *s;

	find_span(result, &x);
	json_array_foreach((json_t *)(uintptr_t)result, i, s)
	{
		buf_init(&b, 1u << 20);
		put_metric(&b, json_object_get(s, "metric"));
		buf_ch(&b, '\n');
		spark(s, &x, &b);
		(void)printf("%s\n", b.p != NULL ? b.p : "");
		buf_fini(&b);
	}
	if (json_array_size(result) == 0)
		return;
	buf_init(&b, 200);
	time_print_rfc3339(&b, num_clamp_i64(x.t0 * 1000));
	(void)printf("%s", b.p);
	buf_reset(&b);
	time_print_rfc3339(&b, num_clamp_i64(x.t1 * 1000));
	(void)printf("%*s\n", GRAPH_COLUMNS - 20, b.p);
	buf_fini(&b);
}

/* ---- */

static void notes(const json_t *answer, const char *key)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(answer, key), i, v)
	{
		struct buf b;

		buf_init(&b, 65536);
		cli_clean(&b, cli_member(v, NULL));
		(void)fprintf(stderr, "%s: %s\n", key, b.p != NULL ? b.p : "");
		buf_fini(&b);
	}
}

static void show(const json_t *answer, const struct wish *w)
{
	static const char *const titles[] = {"TIME", "VALUE", "METRIC", NULL};
	const json_t *data = json_object_get(answer, "data");
	struct out o = {.format = w->format};

	notes(answer, "warnings");
	notes(answer, "infos");
	if (w->format == FORMAT_JSON) {
		(void)json_dumpf(data, stdout, JSON_INDENT(2));
		(void)putchar('\n');
		return;
	}
	if (w->explain) {
		cli_query_costs(json_object_get(data, "explain"));
		return;
	}
	if (w->format == FORMAT_GRAPH) {
		graph(data);
		return;
	}
	buf_init(&o.b, 1u << 20);
	cli_table_init(&o.table, titles);
	if (w->format == FORMAT_CSV)
		(void)puts("time,value,metric");
	rows(&o, data);
	if (w->format == FORMAT_TABLE)
		cli_table_print(&o.table, stdout);
	cli_table_fini(&o.table);
	buf_fini(&o.b);
}

/* Why there is nothing: a name or a label that no series has, and the nearest that is; else that
 * there is nothing. */
static void show_hints(struct cli *c, struct wish w, const char *expr)
{
	bool any = false;
	json_t *answer = NULL, *n;
	struct err e = {0};
	struct buf path;
	size_t i;

	w.explain = true;
	buf_init(&path, 1u << 20);
	if (question(&w, expr, &path, &e) == 0 &&
		cli_ask(c, "GET", path.p, NULL, &answer, &e) == 0) {
		const json_t *data = json_object_get(answer, "data");
		const json_t *explain = json_object_get(data, "explain");

		json_array_foreach(json_object_get(explain, "nodes"), i, n)
		{
			struct buf b;

			if (cli_member(n, "hint").n == 0)
				continue;
			buf_init(&b, 65536);
			cli_clean(&b, cli_member(n, "hint"));
			(void)fprintf(stderr, "hint: %s\n", b.p != NULL ? b.p : "");
			buf_fini(&b);
			any = true;
		}
	}
	if (!any)
		(void)fprintf(stderr, "belfry: no points %s\n",
			w.range ? "in that time" : "at that time");
	json_decref(answer);
	buf_fini(&path);
}

static bool is_empty(const json_t *answer)
{
	const json_t *result = json_object_get(json_object_get(answer, "data"), "result");

	return json_is_array(result) && json_array_size(result) == 0;
}

static bool format_of(const char *text, enum format *out)
{
	static const char *const names[] = {"table", "json", "csv", "graph"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = (enum format)i;
			return true;
		}
	}
	return false;
}

static int options(struct cli *c, struct wish *w, int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"time", required_argument, NULL, 't'}, {"start", required_argument, NULL, 's'},
		{"end", required_argument, NULL, 'e'}, {"step", required_argument, NULL, 'p'},
		{"format", required_argument, NULL, 'f'}, {"explain", no_argument, NULL, 'x'},
		{NULL, 0, NULL, 0}};
	int opt;

	opterr = 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 't': w->time = optarg; break;
		case 's': w->start = optarg; break;
		case 'e': w->end = optarg; break;
		case 'p': w->step = optarg; break;
		case 'x': w->explain = true; break;
		case 'f':
			if (!format_of(optarg, &w->format))
				return cli_usage(USAGE,
					"--format: \"%.40s\" is none of table, json, csv and graph",
					optarg);
			break;
		default:
			return cli_usage(USAGE, "no such option, or its value is missing: %.60s",
				argv[optind - 1]);
		}
	}
	w->range = w->start != NULL || w->end != NULL || w->step != NULL;
	return optind + 1 == argc ? CLI_FINE : cli_usage(USAGE, "one expression is needed");
}

int cli_query_main(int argc, char **argv)
{
	struct wish w = {0};
	json_t *answer = NULL;
	struct err e = {0};
	struct buf path;
	struct cli c;
	int rc;

	cli_init(&c);
	buf_init(&path, 1u << 20);
	rc = options(&c, &w, argc, argv);
	if (rc == CLI_FINE && question(&w, argv[optind], &path, &e) != 0)
		rc = cli_usage(USAGE, "%s", e.msg);
	if (rc == CLI_FINE && cli_ask(&c, "GET", path.p, NULL, &answer, &e) != 0)
		rc = cli_fail(&e);
	if (rc == CLI_FINE) {
		show(answer, &w);
		if (!w.explain && is_empty(answer))
			show_hints(&c, w, argv[optind]);
	}
	json_decref(answer);
	buf_fini(&path);
	cli_fini(&c);
	return rc;
}
