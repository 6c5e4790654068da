/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_promql - belfry promql: an expression formatted, or its syntax tree as /api/v1/parse_query
 * gives it; neither needs a running belfry, and experimental functions are known. And the table of
 * belfry query --explain.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/cli.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/format.h"

#define EXPR_MEMORY ((size_t)64 << 20)
#define OUT_BYTES   ((size_t)16 << 20)

/* "-": the whole of stdin, else the argument. */
static int read_expr(const char *arg, struct buf *text, struct err *e)
{
	char part[4096];
	size_t n;

	if (strcmp(arg, "-") != 0) {
		buf_c(text, arg);
	} else {
		while ((n = fread(part, 1, sizeof part, stdin)) > 0 && !text->failed)
			buf_str(text, str_n(part, n));
		if (ferror(stdin))
			return err_set(e, ERR_IO, 0, "cannot read standard input");
		while (text->n > 0 && text->p[text->n - 1] == '\n')
			text->n--;
	}
	if (text->failed)
		return err_set(
			e, ERR_LIMIT, 0, "expression of more than %u bytes", LIMIT_EXPR_BYTES);
	return 0;
}

static void fail(struct str text, const struct err *e)
{
	struct buf where;

	buf_init(&where, 1u << 20);
	pq_error_excerpt(&where, text, e);
	(void)fprintf(stderr, "belfry: %s%s\n", e->msg, where.n > 0 ? where.p : "");
	buf_fini(&where);
}

static int promql(int argc, char **argv, const char *usage,
	void (*print)(struct buf *b, const struct pq_expr *x))
{
	struct buf text, out;
	struct err e = {0};
	const struct pq_expr *x = NULL;
	struct arena a;

	if (argc != 2)
		return cli_usage(usage, "one expression is needed, or - for standard input");
	arena_init(&a, EXPR_MEMORY);
	buf_init(&text, (size_t)1 << 20);
	buf_init(&out, OUT_BYTES);
	if (read_expr(argv[1], &text, &e) == 0)
		x = pq_parse(&a, buf_view(&text), true, &e);
	if (x != NULL) {
		print(&out, x);
		buf_ch(&out, '\n');
		if (out.failed)
			(void)err_set(&e, ERR_LIMIT, 0, "out of memory");
		else
			(void)fwrite(out.p, 1, out.n, stdout);
	}
	if (e.kind != ERR_NONE)
		fail(buf_view(&text), &e);
	buf_fini(&out);
	buf_fini(&text);
	arena_fini(&a);
	return e.kind != ERR_NONE ? CLI_FAILED : CLI_FINE;
}

int cli_promql_format_main(int argc, char **argv)
{
	return promql(argc, argv, "promql format " CLI_PROMQL_ARGS, pq_expr_pretty);
}

int cli_promql_parse_main(int argc, char **argv)
{
	return promql(argc, argv, "promql parse " CLI_PROMQL_ARGS, pq_expr_json);
}

void cli_query_costs(const json_t *explain)
{
	static const char *const titles[] = {
		"TIME", "SELF", "SERIES", "POINTS", "SAMPLES", "EXPRESSION", NULL};
	static const char *const counts[] = {"series", "points", "samples"};
	struct cli_table t;
	struct buf b;
	size_t i;
	json_t *n;

	cli_table_init(&t, titles);
	buf_init(&b, 1u << 20);
	json_array_foreach(json_object_get(explain, "nodes"), i, n)
	{
		double v[2] = {json_number_value(json_object_get(n, "seconds")),
			json_number_value(json_object_get(n, "selfSeconds"))};
		json_int_t depth = json_integer_value(json_object_get(n, "depth"));

		for (size_t k = 0; k < ARRAY_LEN(v); k++) {
			buf_printf(&b, "%.3f ms", v[k] * 1000);
			cli_table_cell(&t, buf_view(&b));
			buf_reset(&b);
		}
		for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
			buf_printf(&b, "%lld",
				(long long)json_integer_value(json_object_get(n, counts[k])));
			cli_table_cell(&t, buf_view(&b));
			buf_reset(&b);
		}
		for (json_int_t k = 0; k < depth; k++)
			buf_c(&b, "  ");
		cli_clean(&b, cli_member(n, "expr"));
		if (cli_member(n, "hint").n > 0) {
			buf_c(&b, "   <- ");
			cli_clean(&b, cli_member(n, "hint"));
		}
		cli_table_cell(&t, buf_view(&b));
		buf_reset(&b);
	}
	cli_table_print(&t, stdout);
	cli_table_fini(&t);
	buf_fini(&b);
}
