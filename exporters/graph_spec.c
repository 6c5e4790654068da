/* SPDX-License-Identifier: Apache-2.0 */
/* graph_spec - what a graph source must know of a message, as JSON that is stored with the row. */
#include "exporters/graph_spec.h"

#include <jansson.h>
#include <math.h>

#include "base/jsonw.h"
#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/message.h"

#define TITLE_MAX 200u

static void put_alert(struct jsonw *j, const struct message_alert *al)
{
	jsonw_object(j);
	jsonw_key(j, "labels");
	jsonw_labels(j, al->labels);
	jsonw_kv_i64(j, "fired", al->starts_at_ms);
	jsonw_kv_i64(j, "ended", al->firing ? 0 : al->ends_at_ms);
	jsonw_kv_f64(j, "value", al->value);
	jsonw_object_end(j);
}

static void put_spec(
	const struct message *m, const struct message_alert **worst, size_t n, struct buf *out)
{
	const struct message_alert *first = worst[0];
	struct buf title;
	struct jsonw j;

	buf_init(&title, 1024);
	message_subject(m, &title);
	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_kv_str(&j, "expr", first->expr);
	jsonw_kv_str(&j, "rule", first->rule);
	jsonw_kv_str(&j, "group", first->group);
	jsonw_kv_str(&j, "title", clean_prefix(buf_view(&title), TITLE_MAX));
	jsonw_kv_c(&j, "op", first->op);
	jsonw_kv_f64(&j, "threshold", first->threshold);
	jsonw_key(&j, "alerts");
	jsonw_array(&j);
	for (size_t i = 0; i < n; i++) {
		/* others of the same rule: what is on one axis must be comparable */
		if (str_eq(worst[i]->expr, first->expr))
			put_alert(&j, worst[i]);
	}
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	buf_fini(&title);
}

void graph_spec(const struct message *m, struct buf *out)
{
	const struct message_alert *worst[GRAPH_SERIES_MAX];
	size_t n = message_worst(m, worst, GRAPH_SERIES_MAX);
	struct buf b;

	if (n == 0 || worst[0]->expr.n == 0)
		return;
	buf_init(&b, GRAPH_SPEC_MAX);
	put_spec(m, worst, n, &b);
	if (!b.failed)
		buf_str(out, buf_view(&b));
	buf_fini(&b);
}

/* --- reading --- */

static struct str text_of(struct arena *a, const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return arena_str(a, str_n(json_string_value(v), json_string_length(v)));
}

static double number_of(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static bool read_alert(struct arena *a, const json_t *j, struct graph_spec_alert *out)
{
	json_t *map = json_object_get(j, "labels"), *value;
	struct label *v = ARENA_ARRAY(a, json_object_size(map), struct label);
	const char *key;
	size_t n = 0;

	if (v == NULL || !json_is_object(map))
		return false;
	json_object_foreach(map, key, value)
	{
		v[n].name = arena_str(a, str_c(key));
		v[n].value =
			arena_str(a, str_n(json_string_value(value), json_string_length(value)));
		n++;
	}
	if (a->failed || !labels_sort(v, &n))
		return false;
	*out = (struct graph_spec_alert){.labels = {v, n},
		.fired_ms = json_integer_value(json_object_get(j, "fired")),
		.ended_ms = json_integer_value(json_object_get(j, "ended")),
		.value = number_of(j, "value")};
	return true;
}

static bool read_spec(struct arena *a, const json_t *j, struct graph_spec *out)
{
	const json_t *alerts = json_object_get(j, "alerts");
	struct str op = text_of(a, j, "op");
	size_t n = json_array_size(alerts);

	*out = (struct graph_spec){.expr = text_of(a, j, "expr"),
		.rule = text_of(a, j, "rule"),
		.group = text_of(a, j, "group"),
		.title = text_of(a, j, "title"),
		.threshold = number_of(j, "threshold")};
	if (n == 0 || n > GRAPH_SERIES_MAX || op.n >= sizeof out->op || a->failed)
		return false;
	memcpy(out->op, op.p, op.n);
	for (out->n = 0; out->n < n; out->n++) {
		if (!read_alert(a, json_array_get(alerts, out->n), &out->alerts[out->n]))
			return false;
	}
	return out->expr.n > 0;
}

int graph_spec_parse(struct arena *a, struct str text, struct graph_spec *out, struct err *e)
{
	json_t *j =
		text.n <= GRAPH_SPEC_MAX ? json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL) : NULL;
	bool ok = j != NULL && read_spec(a, j, out);

	json_decref(j);
	return ok ? 0 : err_set(e, ERR_CORRUPT, 0, "this is no description of a graph");
}
