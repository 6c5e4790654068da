/* SPDX-License-Identifier: Apache-2.0 */
/* message_fixture - see message_fixture.h. */
#include "tests/lib/message_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"

#define TEXT(lit)                                                                                  \
	{                                                                                          \
		lit, sizeof(lit) - 1                                                               \
	}

const struct str hostile_texts[] = {
	TEXT("<!channel> & <@U012345> \"quoted\" 'it' | pipe"),
	TEXT("a\r\nBcc: evil@example.org\r\n\r\nbody"),
	TEXT("nul\0byte"),
	TEXT("\xff\xfe\x80 broken \xf0\x9f"),
	TEXT("cut \xf0\x9f\0\xe2\x01"
	     "3\r\n"),
	TEXT("\xf0\x9f\x92\xa5 \xe4\xb8\x8a\xe6\xb5\xb7 \xc3\xbc"),
	TEXT("</td></tr></table><script>alert(1)</script><img src=x onerror=y>"),
	TEXT("*bold* _it_ ~no~ `code` ```block```"),
	TEXT("\x01"
	     "1\x01"
	     "3\x01"
	     "8 \x1b[31m\x7f"),
	TEXT("=?UTF-8?Q?=41?= \"><a href=javascript:x>"),
	TEXT("\xe2\x80\xae"
	     "drow \xe2\x81\xa6 \xe2\x80\x8b"),
	TEXT(".\r\n.\r\nQUIT\r\n"),
	TEXT("&amp;&lt;!channel&gt;"),
	TEXT("\\u0001"
	     "3 \\\" }],\"x\":[{"),
	TEXT(""),
};
const size_t n_hostile_texts = ARRAY_LEN(hostile_texts);

char *hostile_long(const char *piece, size_t n)
{
	size_t len = strlen(piece);
	char *p = malloc(n + 1);

	ASSERT(p != NULL && len > 0);
	for (size_t i = 0; i < n; i++)
		p[i] = piece[i % len];
	p[n] = '\0';
	return p;
}

static struct str copy(struct arena *a, struct str s)
{
	char *p = ARENA_ARRAY(a, s.n + 1, char);

	ASSERT(p != NULL);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return str_n(p, s.n);
}

static struct str text(struct arena *a, const char *front, size_t i, struct str tail)
{
	struct buf b;
	struct str s;

	buf_init(&b, tail.n + 200);
	buf_printf(&b, "%s%zu", front, i);
	if (tail.n > 0) {
		buf_ch(&b, ' ');
		buf_str(&b, tail);
	}
	s = copy(a, buf_view(&b));
	buf_fini(&b);
	return s;
}

static struct labels make(struct arena *a, struct label *v, size_t n)
{
	struct labels ls;

	ASSERT(labels_sort(v, &n));
	ls = labels_copy(a, (struct labels){v, n});
	ASSERT(ls.v != NULL);
	return ls;
}

static void one(struct arena *a, const struct message_plan *p, size_t i, struct message_alert *al)
{
	struct label labels[5] = {
		{STR("alertname"), p->name.n > 0 ? p->name : STR("PoolExhausted")},
		{STR("service"), STR("shop")}, {STR("pool"), text(a, "orders-", i, p->hostile)}};
	struct label notes[4] = {
		{STR("summary"), text(a, "pool orders at 97 % on replica ", i, p->hostile)},
		{STR("description"), text(a, "Requests wait for a connection; at 100 % they fail. ",
					     i, p->hostile)},
		{STR("runbook_url"), STR("https://runbooks.example.org/pool?x=1&y=2")}};
	size_t n = 3;

	if (p->severity != NULL)
		labels[n++] = (struct label){STR("severity"), str_c(p->severity)};
	if (p->hostile.n > 0)
		labels[n++] = (struct label){STR("zone"), copy(a, p->hostile)};
	*al = (struct message_alert){.firing = i >= p->n_resolved,
		.labels = make(a, labels, n),
		.annotations = make(a, notes, 3),
		.fingerprint = i + 1,
		.starts_at_ms = FIXTURE_NOW_MS - 200000 - (int64_t)i * 1000,
		.value = 0.97,
		.current = 0.95,
		.worst = 1,
		.threshold = 0.9,
		.op = ">",
		.rule = STR("PoolExhausted"),
		.group = STR("services.yml;pools"),
		.expr = STR("max by (pool) (pool_in_use / pool_size) > 0.9")};
	if (!al->firing) {
		al->ends_at_ms = FIXTURE_NOW_MS;
		al->current = 0.2;
	}
}

void message_fixture_init(struct message_fixture *f, const struct message_plan *p)
{
	struct message_alert *v;

	arena_init(&f->arena, (size_t)2 << 30);
	v = ARENA_ARRAY(&f->arena, p->n, struct message_alert);
	ASSERT(v != NULL);
	for (size_t i = 0; i < p->n; i++)
		one(&f->arena, p, i, &v[i]);
	f->m = (struct message){.receiver = STR("ops"),
		.external_url = STR("https://belfry.example.org/"),
		.group_key = STR("{}:{alertname=\"PoolExhausted\"}"),
		.reason = p->reason,
		.now_ms = FIXTURE_NOW_MS,
		.incident_ms = FIXTURE_NOW_MS - 200000,
		.id = STR("belfry-0123456789abcdef-7"),
		.thread = STR("belfry-fedcba9876543210"),
		.first = p->first};
	if (p->links) {
		f->m.silence_url = STR("https://belfry.example.org/l/silence?g=1&d=1h&sig=abc");
		f->m.ack_url = STR("https://belfry.example.org/l/ack?g=1&sig=abc");
		f->m.page_url = STR("https://belfry.example.org/#g=1");
	}
	message_finish(&f->m, v, p->n, &f->arena);
}

void message_fixture_fini(struct message_fixture *f)
{
	arena_fini(&f->arena);
}

struct graph_answer *message_fixture_graph(void)
{
	struct graph_answer *g = calloc(1, sizeof *g);
	double *v;
	struct buf png;
	struct err e;

	ASSERT(g != NULL);
	arena_init(&g->arena, (size_t)1 << 20);
	v = ARENA_ARRAY(&g->arena, 60, double);
	ASSERT(v != NULL);
	for (size_t i = 0; i < 60; i++)
		v[i] = i == 20 ? NAN : i < 40 ? 0.3 + 0.004 * (double)i : 0.97;
	g->points = (struct graph_points){.t0_ms = FIXTURE_NOW_MS - 3600000,
		.step_ms = 60000,
		.n = 60,
		.series = {{STR("pool=orders"), v}},
		.n_series = 1,
		.threshold = 0.9,
		.op = ">",
		.fired_ms = FIXTURE_NOW_MS - 200000,
		.unit = {.kind = UNIT_RATIO}};
	g->title = STR("PoolExhausted · shop");
	g->top[0] = (struct graph_offender){STR("route=/api <b>&"), 0.41};
	g->top[1] = (struct graph_offender){STR("route=/search"), 0.12};
	g->n_top = 2;
	g->top_unit = g->points.unit;
	buf_init(&png, GRAPH_PNG_MAX);
	ASSERT(graph_png(&g->points, g->title, GRAPH_WIDTH, GRAPH_HEIGHT, &png, &e) == 0);
	g->png = copy(&g->arena, buf_view(&png));
	buf_fini(&png);
	return g;
}
