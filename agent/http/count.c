/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count - belfry_http_requests_total{code,handler}: both labels from fixed sets, so that strangers
 * cannot make series. A cell is looked up once per route and status.
 */
#include <stdlib.h>

#include "agent/http/internal.h"
#include "base/buf.h"
#include "base/clock.h"

static const int codes[] = {200, 204, 304, 400, 403, 404, 405, 408, 413, 415, 421, 422, 429, 431,
	499, 500, 501, 503, 505, 0};
#define N_CODES (sizeof codes / sizeof *codes)

static struct metric *make_cell(const struct http_server *s, size_t route, int code)
{
	struct metric *m;
	struct buf b;

	buf_init(&b, 512);
	if (code != 0)
		buf_printf(&b, "code=\"%d\",", code);
	else
		buf_c(&b, "code=\"other\",");
	buf_printf(&b, "handler=\"%s\"", route < s->n_routes ? s->routes[route].path : "none");
	m = metric_counter_text("belfry_http_requests_total",
		"Answered requests by route and status.", buf_view(&b));
	buf_fini(&b);
	return m;
}

void http_count(struct http_server *s, const struct http_req *r)
{
	static struct metric *_Atomic seconds;
	size_t route = r->route != NULL ? r->route_index : s->n_routes, i = 0;
	struct metric *_Atomic *cell;

	while (codes[i] != r->status && codes[i] != 0)
		i++;
	if (s->cells == NULL)
		s->cells = calloc((s->n_routes + 1) * N_CODES, sizeof *s->cells);
	if (s->cells == NULL)
		return;
	cell = &s->cells[route * N_CODES + i];
	if (*cell == NULL)
		*cell = make_cell(s, route, codes[i]);
	metric_inc(*cell);
	if (seconds == NULL)
		seconds = metric_counter("belfry_http_request_seconds_total",
			"Time from the head of a request to the end of its answer, summed.", NULL);
	metric_addf(seconds, (double)(clock_real_ns() - r->start_ns) / 1e9);
}
