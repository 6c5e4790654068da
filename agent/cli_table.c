/* SPDX-License-Identifier: Apache-2.0 */
/* cli_table - columns as wide as their widest cell; the last one is as long as it is. */
#include <stdlib.h>

#include "agent/cli.h"
#include "base/assert.h"
#include "base/num.h"

#define WIDEST 60u /* a wider cell does not push the others away */

size_t cli_width(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

void cli_table_init(struct cli_table *t, const char *const *titles)
{
	*t = (struct cli_table){0};
	buf_init(&t->text, (size_t)256 << 20);
	while (titles[t->columns] != NULL)
		t->columns++;
	ASSERT(t->columns <= CLI_COLUMNS_MAX);
	for (size_t i = 0; i < t->columns; i++)
		cli_table_cell(t, str_c(titles[i]));
}

void cli_table_cell(struct cli_table *t, struct str s)
{
	size_t from = t->text.n;

	if (t->n == t->cap) {
		t->cap = t->cap * 2 + 64;
		t->cells = realloc(t->cells, t->cap * sizeof *t->cells);
		ASSERT(t->cells != NULL);
	}
	cli_clean(&t->text, s);
	t->cells[t->n++] = (struct cli_cell){
		from, t->text.n, cli_width(str_sub(buf_view(&t->text), from, t->text.n))};
}

void cli_table_print(const struct cli_table *t, FILE *f)
{
	size_t width[CLI_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < t->n; i++) {
		size_t *w = &width[i % t->columns];

		*w = MAX_OF(*w, MIN_OF(t->cells[i].width, (size_t)WIDEST));
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct cli_cell *c = &t->cells[i];
		bool last = i % t->columns == t->columns - 1;

		(void)fwrite(t->text.p + c->from, 1, c->to - c->from, f);
		if (last)
			(void)fputc('\n', f);
		else
			(void)fprintf(f, "%*s",
				(int)(MAX_OF(width[i % t->columns], c->width) - c->width + 2), "");
	}
}

void cli_table_fini(struct cli_table *t)
{
	buf_fini(&t->text);
	free(t->cells);
	t->cells = NULL;
}
