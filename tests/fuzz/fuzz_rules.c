/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a rule file: no crash, no leak; what loads is linted, printed and planned. */
#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/limits.h"
#include "rules/replay.h"
#include "rules/rule_lint.h"
#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_text_file file = {.path = STR("f"), .text = str_n((const char *)data, size)};
	struct replay_plan plan;
	struct rule_set *rs;
	struct arena a;
	struct diag *d;
	struct buf out;

	hash_init();
	arena_init(&a, LIMIT_CONFIG_BYTES);
	buf_init(&out, 4u << 20);
	d = diag_new(&a);
	rs = rule_set_load_with(NULL, 0, &file, 1, true, d, &a);
	if ((rs == NULL) != (diag_errors(d) > 0))
		abort();
	if (rs != NULL) {
		struct lint l = {.d = d, .a = &a};

		rule_lint(&l, rs);
		replay_plan_init(&plan, rs, 0);
		replay_plan_fini(&plan);
		if (replay_warm_up(rs, 1000) > 1000)
			abort();
	}
	diag_print(d, &out);
	rule_set_free(rs);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
