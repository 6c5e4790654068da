/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a text as one relabelling rule and the set it is applied to. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/relabel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_n((const char *)data, size), part[8] = {{0}};
	struct relabel_rule r = relabel_defaults;
	struct labels_builder b;
	struct labels out;
	struct label base[2];
	struct str sources[2] = {STR("a"), STR("b")};
	struct arena a;
	struct err e;

	for (size_t i = 0; i < 7; i++)
		(void)str_split(&rest, '\n', &part[i]);
	r.action = relabel_action_of(part[0]);
	r.regex = part[1];
	r.target_label = part[2];
	r.replacement = part[3];
	r.separator = part[4];
	r.source_labels = sources;
	r.n_source_labels = part[5].n % 3;
	r.modulus = part[5].n;
	base[0] = (struct label){STR("a"), part[6]};
	base[1] = (struct label){STR("b"), rest};
	if (relabel_rule_init(&r, &e) != 0)
		return 0;
	arena_init(&a, (size_t)4 << 20);
	labels_builder_init(&b, &a, (struct labels){base, 2});
	if (relabel_apply(&r, 1, &b)) {
		out = labels_builder_done(&b);
		for (size_t i = 0; i < out.n; i++)
			ASSERT(out.v[i].value.n > 0);
	}
	relabel_rule_fini(&r);
	arena_fini(&a);
	return 0;
}
