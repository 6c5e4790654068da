/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_graph - the graph of a message: asked for before an attempt, kept until its answer.
 *
 * A row whose payload has a place for a graph waits for it at most GRAPH_DEADLINE_MS, then goes
 * without. What was found is freed when the attempt failed, and asked for again before the next:
 * a hundred thousand waiting rows hold no pictures. The answer comes on the source's thread and is
 * posted to the state writer.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "exporters/graph.h"
#include "exporters/notify_internal.h"

struct graph_ask {
	struct graph_request req;
	struct state_job job;
	struct notify *n;
	int64_t row_id;
	char *spec;
	struct graph_answer *answer;
};

static void ask_free(struct graph_ask *ask)
{
	graph_free(ask->answer);
	free(ask->spec);
	free(ask);
}

/* State writer. */
static void on_answer(struct state_job *job)
{
	struct graph_ask *ask = job->arg;
	struct row *r = row_by_id(ask->n, ask->row_id);

	if (r != NULL && r->graph_waiting) { /* else it went without */
		r->graph_waiting = false;
		r->graph = ask->answer;
		ask->answer = NULL;
		r->next_mono_ms = MIN_OF(r->next_mono_ms, clock_mono_ms());
		outbox_pump(ask->n);
		group_update_due(ask->n);
	}
	ask_free(ask);
}

/* The source's thread. */
static void on_done(struct graph_request *req, struct graph_answer *take_graph)
{
	struct graph_ask *ask = req->arg;

	ask->answer = take_graph;
	ask->job.arg = ask;
	ask->job.done = on_answer;
	if (!state_post(ask->n->state, &ask->job))
		ask_free(ask); /* full or stopping: the row goes without when its time has come */
}

void outbox_graph_spec(struct row *r, const struct message *m, const struct integration *in)
{
	const struct integration_type *type = integration_type(in->kind);
	struct str payload = str_n(r->payload, r->payload_len);
	struct buf spec;

	r->wants_png = graph_has_mark(payload, GRAPH_MARK_PNG) ||
		       graph_has_mark(payload, GRAPH_MARK_IF) ||
		       (type->wants_picture != NULL && type->wants_picture(payload));
	if (!r->wants_png && !graph_has_mark(payload, GRAPH_MARK_SPARK) &&
		!graph_has_mark(payload, GRAPH_MARK_TOP))
		return;
	buf_init(&spec, GRAPH_SPEC_MAX);
	graph_spec(m, &spec);
	if (!spec.failed && spec.n > 0)
		r->graph_spec = buf_take(&spec, &r->graph_spec_len);
	buf_fini(&spec);
}

bool outbox_graph_ready(struct notify *n, struct row *r)
{
	struct graph_ask *ask;
	struct err e;
	char *spec;
	size_t len;

	if (r->graph_asked || n->graphs.submit == NULL)
		return true;
	r->graph_asked = true;
	if (outbox_store_graph(n, r->id, &spec, &len, &r->wants_png, &e) != 0)
		return true; /* without */
	if (len == 0) {
		free(spec);
		return true;
	}
	ask = calloc(1, sizeof *ask);
	ASSERT(ask != NULL);
	ask->n = n;
	ask->row_id = r->id;
	ask->spec = spec;
	ask->req = (struct graph_request){.spec = str_n(spec, len),
		.want_png = r->wants_png,
		.now_ms = clock_wall_ms(),
		.on_done = on_done,
		.arg = ask};
	r->graph_waiting = true;
	r->next_mono_ms = clock_mono_ms() + GRAPH_DEADLINE_MS;
	if (n->graphs.submit(n->graphs.ctx, &ask->req))
		return false;
	METRIC_DROP("notify", "graph_source_busy", 1);
	r->graph_waiting = false;
	ask_free(ask);
	return true;
}

void outbox_graph_drop(struct row *r)
{
	graph_free(r->graph);
	r->graph = NULL;
	r->graph_asked = r->graph_waiting = false;
}
