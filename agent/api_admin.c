/* SPDX-License-Identifier: Apache-2.0 */
/* api_admin - health, reload, own metrics, remote write's entry, and the seams of tests. */
#include "agent/api.h"
#include "agent/ingest/remote_write.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/seam.h"
#include "base/steps.h"

#define TEXT "text/plain; charset=utf-8"

void api_metrics(struct http_req *r, void *arg)
{
	(void)arg;
	http_resp_header(r, "Content-Type", STR("text/plain; version=0.0.4; charset=utf-8"));
	metrics_write(http_resp_body(r));
	http_finish(r);
}

void api_healthy(struct http_req *r, void *arg)
{
	if (app_healthy(arg))
		http_reply(r, 200, TEXT, STR("belfry is healthy.\n"));
	else
		http_reply(r, 503, TEXT, STR("belfry is stalled.\n"));
}

void api_ready(struct http_req *r, void *arg)
{
	struct app *app = arg;

	if (atomic_load(&app->ready))
		http_reply(r, 200, TEXT, STR("belfry is ready.\n"));
	else
		http_reply(r, 503, TEXT, STR("belfry is not ready.\n"));
}

void api_reload(struct http_req *r, void *arg)
{
	bool ok = app_reload(arg, http_resp_body(r));

	http_resp_status(r, ok ? 200 : 500);
	http_resp_header(r, "Content-Type", STR(TEXT));
	http_finish(r);
}

void api_write(struct http_req *r, void *arg)
{
	struct app *app = arg;

	if (app->remote_write == NULL)
		http_reply(r, 404, TEXT, STR("the remote write receiver is turned off\n"));
	else
		remote_write_handle(app->remote_write, r);
}

/* The seams answer like any unknown path unless BELFRY_TEST=1. */
static bool seam_closed(struct http_req *r)
{
	if (!seam_enabled)
		http_reply(r, 404, TEXT, STR("404 page not found\n"));
	return !seam_enabled;
}

void api_debug_flush(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct err e = {0};

	if (seam_closed(r))
		return;
	if (store_flush(app->store, &e) != 0)
		api_fail(r, &e);
	else
		http_reply(r, 200, TEXT, STR("flushed\n"));
}

/* Time as it is set (unix_ms=MS, with speed=X unless it goes in steps), or gone to in steps
 * (to_ms=MS). */
static int move_clock(struct http_req *r, struct err *e)
{
	struct str at = http_req_param(r, "unix_ms"), to = http_req_param(r, "to_ms");
	struct str speed = http_req_param(r, "speed");
	long long ms;
	double x = 1;

	if (at.n == 0 && to.n == 0)
		return 0;
	if (!str_to_i64(at.n > 0 ? at : to, &ms))
		return err_set(e, ERR_INPUT, 0, "unix_ms or to_ms is not a number");
	if (speed.n > 0 && (!str_to_f64(speed, &x) || !(x >= 0)))
		return err_set(e, ERR_INPUT, 0, "speed is not a number");
	if (at.n == 0)
		return steps_to(ms, e);
	if (steps_on())
		return steps_set(ms, e);
	clock_inject(ms, x);
	return 0;
}

/* The answer is what the clock shows. */
void api_debug_clock(struct http_req *r, void *arg)
{
	struct err e = {0};
	struct jsonw j;

	(void)arg;
	if (seam_closed(r))
		return;
	if (move_clock(r, &e) != 0) {
		api_fail(r, &e);
		return;
	}
	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_i64(&j, "unix_ms", clock_wall_ms());
	jsonw_kv_bool(&j, "injected", clock_is_injected());
	jsonw_kv_bool(&j, "steps", steps_on());
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}
