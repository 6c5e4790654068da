/* SPDX-License-Identifier: Apache-2.0 */
/* hsum - compensated sums and means of native histograms; see hacc.h. */
#include <float.h>

#include "rules/promql/hacc.h"

bool hsum_add(struct hsum *s, struct arena *a, const struct hist *h, bool mean)
{
	struct hacc_term t = {.h = h, .sign = 1, .div = 1, .kahan = true};

	s->reset_yes |= h->reset == HIST_RESET_YES;
	s->reset_no |= h->reset == HIST_RESET_NO;
	if (++s->count == 1) {
		hacc_init(&s->acc, a, h);
		return true;
	}
	if (mean && !s->incremental &&
		!(hacc_max_abs(&s->acc) + hacc_max_abs_hist(h) < DBL_MAX / 2)) {
		struct hacc next;

		hacc_copy(&next, a, &s->acc);
		if (!hacc_combine(&next, t, &s->notes))
			return false;
		if (!hacc_overflowed(&next)) {
			s->acc = next;
			return true;
		}
		s->incremental = true;
		hacc_div(&s->acc, s->count - 1);
	}
	if (s->incremental) {
		hacc_mul(&s->acc, (s->count - 1) / s->count);
		t.div = s->count;
	}
	return hacc_combine(&s->acc, t, &s->notes);
}

const struct hist *hsum_done(struct hsum *s, struct arena *out, bool mean)
{
	if (mean && !s->incremental)
		hacc_div(&s->acc, s->count);
	return hacc_done(&s->acc, out);
}
