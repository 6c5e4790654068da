/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backtest_report - a backtest as text: rules with their firings and a timeline, messages by
 * receiver and hour, and one sentence that says it all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/backtest.h"
#include "base/dur.h"
#include "base/num.h"
#include "rules/template.h"

#define COLUMNS    60 /* of a timeline */
#define NAME_WIDTH 34

struct view {
	struct buf *out;
	const struct bt_opts *o;
};

static void moment(struct view *w, int64_t t_ms)
{
	struct civil c;

	bt_local(w->o, t_ms, &c);
	buf_printf(w->out, "%04lld-%02d-%02d %02d:%02d", (long long)c.year, c.month, c.day, c.hour,
		c.minute);
}

static struct str span_text(int64_t ms, char text[64])
{
	struct buf b;

	buf_init(&b, 64);
	ms -= ms % 1000; /* whole seconds */
	humanize_duration(&b, (double)ms / 1000);
	(void)snprintf(text, 64, "%.*s", (int)b.n, b.n > 0 ? b.p : "");
	buf_fini(&b);
	return str_c(text);
}

/* Text in a field, by characters, not bytes; longer ones are cut. */
static void field(struct buf *out, struct str s, size_t width)
{
	size_t chars = 0, i = 0;

	for (; i < s.n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) == 0x80)
			continue;
		if (chars == width)
			break;
		chars++;
	}
	buf_str(out, str_sub(s, 0, i));
	for (; chars < width; chars++)
		buf_ch(out, ' ');
}

static void right(struct buf *out, const char *text, int width)
{
	buf_printf(out, "%*s", width, text);
}

static void count(struct buf *out, uint64_t v, int width)
{
	buf_printf(out, "%*llu", width, (unsigned long long)v);
}

/* --- timelines --- */

static size_t column(const struct bt_opts *o, int64_t t_ms)
{
	double whole = (double)MAX_OF(o->to_ms - o->from_ms, 1);
	double at = (double)(t_ms - o->from_ms) / whole * COLUMNS;

	return at <= 0 ? 0 : at >= COLUMNS - 1 ? COLUMNS - 1 : (size_t)at;
}

static void timeline(struct view *w, const struct bt_rule *r)
{
	bool fires[COLUMNS] = {false};

	for (size_t i = 0; i < r->n_spans; i++) {
		const struct bt_span *s = &r->spans[i];

		if (s->end_ms < w->o->from_ms)
			continue;
		for (size_t c = column(w->o, s->start_ms); c <= column(w->o, s->end_ms); c++)
			fires[c] = true;
	}
	for (size_t c = 0; c < COLUMNS; c++)
		buf_c(w->out, fires[c] ? "█" : "·");
}

static void messages_line(struct view *w, const struct bt_run *r)
{
	unsigned n[COLUMNS] = {0};

	for (size_t i = 0; i < r->n_messages; i++)
		n[column(w->o, r->messages[i].at_ms)]++;
	for (size_t c = 0; c < COLUMNS; c++)
		buf_ch(w->out, n[c] == 0 ? ' ' : n[c] > 9 ? '+' : (char)('0' + n[c]));
}

static void axis(struct view *w)
{
	char text[64];

	buf_c(w->out, "each column is ");
	buf_str(w->out, span_text((w->o->to_ms - w->o->from_ms) / COLUMNS, text));
}

/* --- rules --- */

static bool fired(const struct bt_rule *r)
{
	return r->facts->def->is_alert && (r->firings > 0 || r->n_spans > 0);
}

static int by_firings(const void *a, const void *b)
{
	const struct bt_rule *x = *(const struct bt_rule *const *)a,
			     *y = *(const struct bt_rule *const *)b;

	if (x->firings != y->firings)
		return x->firings > y->firings ? -1 : 1;
	return str_cmp(x->facts->def->name, y->facts->def->name);
}

static void rule_line(struct view *w, const struct bt_rule *r)
{
	char text[64];

	field(w->out, r->facts->def->name, NAME_WIDTH);
	count(w->out, r->firings, 8);
	count(w->out, r->night, 7);
	right(w->out, span_text(r->total_ms, text).p, 16);
	right(w->out,
		r->n_spans + r->lost_spans > 0
			? span_text(r->total_ms / (int64_t)(r->n_spans + r->lost_spans), text).p
			: "",
		16);
	right(w->out, span_text(r->max_ms, text).p, 16);
	buf_c(w->out, "  ");
	timeline(w, r);
	buf_ch(w->out, '\n');
}

static void rules_table(struct view *w, const struct bt_run *r)
{
	const struct bt_rule **v = calloc(MAX_OF(r->n_rules, 1), sizeof(const struct bt_rule *));
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < r->n_rules; i++) {
		if (fired(&r->rules[i]))
			v[n++] = &r->rules[i];
	}
	if (n > 0) {
		qsort(v, n, sizeof(const struct bt_rule *), by_firings);
		field(w->out, STR("alert"), NAME_WIDTH);
		buf_c(w->out, " firings  night           total            mean             max  ");
		axis(w);
		buf_ch(w->out, '\n');
	}
	for (size_t i = 0; i < n; i++)
		rule_line(w, v[i]);
	free(v);
}

static void quiet_rules(struct view *w, const struct bt_run *r)
{
	size_t quiet = 0, col = 0;

	for (size_t i = 0; i < r->n_rules; i++)
		quiet += r->rules[i].facts->def->is_alert && !fired(&r->rules[i]);
	if (quiet == 0)
		return;
	buf_printf(w->out, "\n%zu alert%s never fired:", quiet, quiet == 1 ? "" : "s");
	for (size_t i = 0; i < r->n_rules; i++) {
		const struct bt_rule *x = &r->rules[i];

		if (!x->facts->def->is_alert || fired(x))
			continue;
		if (col + x->facts->def->name.n > 90)
			col = 0;
		buf_c(w->out, col == 0 ? "\n   " : "");
		buf_ch(w->out, ' ');
		buf_str(w->out, x->facts->def->name);
		col += x->facts->def->name.n + 1;
		if (x->spent > 0)
			buf_printf(w->out, " (pending %llu times)", (unsigned long long)x->spent);
	}
	buf_ch(w->out, '\n');
}

static void failing_rules(struct view *w, const struct bt_run *r)
{
	bool any = false;

	for (size_t i = 0; i < r->n_rules; i++) {
		const struct replay_rule *x = r->rules[i].facts;

		if (x->failures == 0)
			continue;
		buf_printf(w->out, "%s%.*s: %llu of %llu evaluations failed: %s\n", any ? "" : "\n",
			(int)x->def->name.n, x->def->name.p, (unsigned long long)x->failures,
			(unsigned long long)x->evaluations, x->error);
		any = true;
	}
}

/* --- messages --- */

static void receiver_line(struct view *w, const struct bt_receiver *v)
{
	field(w->out, v->name, 24);
	field(w->out, str_c(v->integration), 12);
	count(w->out, v->messages, 9);
	count(w->out, v->night, 7);
	buf_c(w->out, "  ");
	for (size_t h = 0; h < 24; h++) {
		if (v->by_hour[h] == 0)
			buf_c(w->out, "  .");
		else
			count(w->out, v->by_hour[h], 3);
	}
	buf_ch(w->out, '\n');
}

static void messages_table(struct view *w, const struct bt_run *r)
{
	if (r->n_receivers == 0)
		return;
	buf_ch(w->out, '\n');
	field(w->out, STR("receiver"), 24);
	field(w->out, STR("kind"), 12);
	buf_c(w->out, " messages  night   by hour of the day:");
	buf_c(w->out, "\n");
	field(w->out, STR(""), 54);
	for (int h = 0; h < 24; h++)
		buf_printf(w->out, "%3d", h);
	buf_ch(w->out, '\n');
	for (size_t i = 0; i < r->n_receivers; i++)
		receiver_line(w, &r->receivers[i]);
	field(w->out, STR("messages over the time"), NAME_WIDTH + 65);
	messages_line(w, r);
	buf_ch(w->out, '\n');
}

static void sum(struct view *w, const struct bt_run *r)
{
	buf_printf(w->out, "%llu firing%s", (unsigned long long)r->firings,
		r->firings == 1 ? "" : "s");
	if (w->o->config != NULL)
		buf_printf(w->out, " → %zu message%s, %llu at night", r->n_messages,
			r->n_messages == 1 ? "" : "s", (unsigned long long)r->night_messages);
}

static void head(struct view *w, const struct bt_run *r)
{
	char text[64];
	double time = (double)(w->o->to_ms - w->o->begin_ms) / 1000;

	buf_str(w->out, r->name);
	buf_c(w->out, ", ");
	moment(w, w->o->from_ms);
	buf_c(w->out, " to ");
	moment(w, w->o->to_ms);
	buf_c(w->out, " (");
	buf_str(w->out, span_text(w->o->to_ms - w->o->from_ms, text));
	buf_printf(w->out, "), %zu rules in %.1f s, %.0f times real time\n", r->n_rules, r->seconds,
		time / MAX_OF(r->seconds, 1e-3));
	if (w->o->past != NULL && w->o->past->n_silences + w->o->past->n_acks > 0) {
		bt_past_print(w->out, w->o->past);
		buf_c(w->out, " (--no-silences and --no-acks leave them out)\n");
	}
	buf_ch(w->out, '\n');
}

static void one_run(struct view *w, const struct bt_run *r)
{
	head(w, r);
	rules_table(w, r);
	quiet_rules(w, r);
	failing_rules(w, r);
	messages_table(w, r);
	buf_ch(w->out, '\n');
	sum(w, r);
	buf_ch(w->out, '\n');
}

/* --- two runs --- */

/* Firings of all alerts of this name. */
static uint64_t firings_of(const struct bt_run *r, struct str name)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->n_rules; i++) {
		if (r->rules[i].facts->def->is_alert && str_eq(r->rules[i].facts->def->name, name))
			n += r->rules[i].firings;
	}
	return n;
}

static bool listed_before(const struct bt_run *r, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (r->rules[k].facts->def->is_alert &&
			str_eq(r->rules[k].facts->def->name, r->rules[i].facts->def->name))
			return true;
	}
	return false;
}

static void compare_line(struct view *w, struct str name, uint64_t a, uint64_t b)
{
	field(w->out, name, NAME_WIDTH);
	count(w->out, a, 9);
	buf_c(w->out, " → ");
	buf_printf(w->out, "%-9llu\n", (unsigned long long)b);
}

static bool has_alert(const struct bt_run *r, struct str name)
{
	for (size_t i = 0; i < r->n_rules; i++) {
		if (r->rules[i].facts->def->is_alert && str_eq(r->rules[i].facts->def->name, name))
			return true;
	}
	return false;
}

static void compare(struct view *w, const struct bt_run *r, const struct bt_run *other)
{
	const struct bt_run *const side[2] = {r, other};

	buf_c(w->out, "\nwhat differs: firings\n");
	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < side[s]->n_rules; i++) {
			struct str name = side[s]->rules[i].facts->def->name;
			uint64_t a = firings_of(r, name), b = firings_of(other, name);

			if (!side[s]->rules[i].facts->def->is_alert || a == b ||
				listed_before(side[s], i) || (s == 1 && has_alert(r, name)))
				continue;
			compare_line(w, name, a, b);
		}
	}
	buf_ch(w->out, '\n');
	sum(w, r);
	buf_c(w->out, "; with ");
	buf_str(w->out, other->name);
	buf_c(w->out, " ");
	sum(w, other);
	buf_ch(w->out, '\n');
}

void bt_report(struct buf *out, const struct bt_opts *o, const struct bt_run *r,
	const struct bt_run *other)
{
	struct view w = {out, o};

	one_run(&w, r);
	if (other == NULL)
		return;
	buf_c(out, "\n");
	one_run(&w, other);
	compare(&w, r, other);
}
