/* SPDX-License-Identifier: Apache-2.0 */
/* rule_refusal - samples of rules that the store refuses; see rule_refusal.h. */
#include "rules/rule_refusal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/metrics.h"
#include "storage/store.h"

struct rule_refusals {
	atomic_uint refs;
	atomic_bool refusing; /* told, and not yet over */
	atomic_size_t refused;
	size_t seen;  /* refused, when the last evaluation began; the evaluator's */
	char group[]; /* its name */
};

struct rule_refusals *rule_refusals_new(struct str group)
{
	size_t n = group.n < 200 ? group.n : 200;
	struct rule_refusals *x = calloc(1, sizeof *x + n + 1);

	ASSERT(x != NULL);
	if (n > 0)
		memcpy(x->group, group.p, n);
	atomic_store(&x->refs, 1);
	return x;
}

struct rule_refusals *rule_refusals_ref(struct rule_refusals *x)
{
	atomic_fetch_add(&x->refs, 1);
	return x;
}

void rule_refusals_unref(struct rule_refusals *x)
{
	if (x != NULL && atomic_fetch_sub(&x->refs, 1) == 1)
		free(x);
}

void rule_refusals_take(struct rule_refusals *x, const struct batch_result *res, size_t rows)
{
	char q[LOG_Q_MAX], why[LOG_Q_MAX];
	size_t n = 0;

	if (res->fail != ERR_NONE)
		METRIC_DROP("rule", "store_refused", rows);
	for (int k = REFUSED_NONE + 1; k < REFUSED_KINDS; k++) {
		METRIC_DROP("rule", "sample_refused", res->refused[k]);
		n += res->refused[k];
	}
	atomic_fetch_add(&x->refused, n);
	if (n > 0 && !atomic_exchange(&x->refusing, true))
		log_warn("rule",
			"msg=\"samples of a rule group are refused, further ones are only "
			"counted\" "
			"group=%s samples=%zu first=%s",
			log_q(q, str_c(x->group)), n, log_q(why, str_c(res->first_msg)));
}

void rule_refusals_turn(struct rule_refusals *x)
{
	size_t n = atomic_load(&x->refused);
	char q[LOG_Q_MAX];

	if (n == x->seen && atomic_exchange(&x->refusing, false))
		log_info("rule",
			"msg=\"samples of a rule group are taken again\" group=%s refused=%zu",
			log_q(q, str_c(x->group)), n);
	x->seen = n;
}
