/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a YAML file: no crash, every node inside the file, every place findable. */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct yaml_node *n, unsigned depth, size_t *budget)
{
	if (depth > LIMIT_YAML_DEPTH)
		abort();
	if (*budget == 0)
		return;
	--*budget;
	if (n->pos.line == 0 || n->pos.col == 0)
		abort();
	for (size_t i = 0; n->kind == YAML_SEQ && i < n->n; i++)
		walk(n->items[i], depth + 1, budget);
	for (size_t i = 0; n->kind == YAML_MAP && i < n->n; i++) {
		walk(n->pairs[i].key, depth + 1, budget);
		walk(n->pairs[i].value, depth + 1, budget);
	}
	if (n->kind == YAML_SCALAR) {
		for (size_t off = 0; off <= n->scalar.n && off < 64; off++) {
			struct diag_pos pos = yaml_scalar_pos(n, off, 1);

			if (pos.line < n->pos.line || pos.col == 0)
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag_file file = {STR("f"), {(const char *)data, size}};
	const struct yaml_node *const *docs;
	struct arena arena;
	struct buf out;
	struct diag *d;
	size_t n, budget = 5000;

	arena_init(&arena, 16u << 20);
	buf_init(&out, 1u << 20);
	d = diag_new(&arena);
	docs = yaml_parse(&arena, &file, d, &n);
	if ((docs == NULL) != (diag_errors(d) > 0))
		abort();
	for (size_t i = 0; docs != NULL && i < n; i++)
		walk(docs[i], 0, &budget);
	diag_print(d, &out);
	buf_fini(&out);
	arena_fini(&arena);
	return 0;
}
