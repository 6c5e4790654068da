/* SPDX-License-Identifier: Apache-2.0 */
/* api_history - the story of an alert, and which rules are noisy. */
#include "agent/api.h"
#include "base/clock.h"
#include "exporters/history.h"

#define ANSWER_BYTES   ((size_t)32 << 20)
#define EXPLAIN_ALERTS 20
#define NOISE_RANGE    INT64_C(2592000000) /* 30 days */

static void answer(struct http_req *r, struct buf *b, int rc, const struct err *e)
{
	struct jsonw j;

	if (rc != 0) {
		api_fail(r, e);
	} else if (b->failed) {
		http_reply_error(r, "execution", "the answer is too large: ask for fewer alerts");
	} else {
		api_begin(r, &j);
		jsonw_raw(&j, buf_view(b));
		api_end(r, &j, NULL);
	}
	buf_fini(b);
}

/* ?alert=NAME, NAME{label="value"} or a fingerprint; &limit=n */
void api_explain(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct err e = {0};
	struct buf b;
	size_t max;
	int rc;

	if (!api_limit(r, "limit", &max))
		return;
	if (max == 0 || max > EXPLAIN_ALERTS)
		max = EXPLAIN_ALERTS;
	buf_init(&b, ANSWER_BYTES);
	rc = history_explain_json(app->state, http_req_param(r, "alert"), max, &b, &e);
	answer(r, &b, rc, &e);
}

/* ?range=30d */
void api_noise(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct err e = {0};
	struct buf b;
	int64_t range;
	int rc;

	if (!api_duration(r, "range", NOISE_RANGE, &range))
		return;
	buf_init(&b, ANSWER_BYTES);
	rc = history_noise_json(app->state, clock_wall_ms() - range, &b, &e);
	answer(r, &b, rc, &e);
}
