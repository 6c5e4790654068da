/* SPDX-License-Identifier: Apache-2.0 */
/* fn_label - label_replace and label_join: new label sets, series of equal ones joined. */
#include "base/buf.h"
#include "rules/promql/eval.h"

struct relabel {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	struct regex *re; /* label_replace */
	struct mat_merge merged;
};

static struct str text_arg(const struct pq_expr *x, size_t i)
{
	return ev_arg(x, i)->u.text;
}

static bool is_label_name(struct str s)
{
	return s.n > 0 && str_is_utf8(s);
}

static void set_label(struct relabel *r, struct col *c, struct str name, const struct buf *value)
{
	struct labels_builder b;

	labels_builder_init(&b, r->ev->a, c->labels);
	if (value->n > 0)
		labels_builder_set(&b, name, arena_str(r->ev->a, buf_view(value)));
	else
		labels_builder_del(&b, name);
	c->labels = labels_builder_done(&b);
	if (str_eq(name, LABEL_NAME))
		c->drop_name = false;
}

static int on_replace(void *arg, struct col *c, struct err *e)
{
	struct relabel *r = arg;
	struct str src = labels_get(c->labels, text_arg(r->x, 3));
	struct buf value;

	buf_init(&value, LIMIT_LABEL_VALUE * 4u);
	if (regex_expand(r->re, src, text_arg(r->x, 2), &value) == 1)
		set_label(r, c, text_arg(r->x, 1), &value);
	if (value.failed) {
		buf_fini(&value);
		return err_set(e, ERR_LIMIT, 0, "label_replace: the new value is too long");
	}
	buf_fini(&value);
	if (ev_memory(r->ev, e) != 0)
		return -1;
	return mat_merge_add(r->ev, &r->merged, r->g, c, e);
}

int fn_label_replace(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct relabel r = {.ev = ev, .x = x, .g = g};
	int rc;

	if (!is_label_name(text_arg(x, 1)))
		return err_set(e, ERR_INPUT, 0,
			"label_replace: invalid destination label name \"" STR_FMT "\"",
			STR_ARG(text_arg(x, 1)));
	r.re = regex_new(text_arg(x, 4), e);
	if (r.re == NULL)
		return err_wrap(e, "label_replace");
	rc = eval_each(ev, ev_arg(x, 0), g, (struct sink){on_replace, &r}, e);
	regex_free(r.re);
	return rc == 0 ? mat_emit(ev, &r.merged.mat, g, out, e) : -1;
}

static int on_join(void *arg, struct col *c, struct err *e)
{
	struct relabel *r = arg;
	struct buf value;

	buf_init(&value, LIMIT_LABEL_VALUE * 4u);
	for (size_t i = 3; i < r->x->u.call.n; i++) {
		if (i > 3)
			buf_str(&value, text_arg(r->x, 2));
		buf_str(&value, labels_get(c->labels, text_arg(r->x, i)));
	}
	if (value.failed) {
		buf_fini(&value);
		return err_set(e, ERR_LIMIT, 0, "label_join: the new value is too long");
	}
	set_label(r, c, text_arg(r->x, 1), &value);
	buf_fini(&value);
	if (ev_memory(r->ev, e) != 0)
		return -1;
	return mat_merge_add(r->ev, &r->merged, r->g, c, e);
}

int fn_label_join(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct relabel r = {.ev = ev, .x = x, .g = g};

	for (size_t i = 1; i < x->u.call.n; i++) {
		if (i != 2 && !is_label_name(text_arg(x, i)))
			return err_set(e, ERR_INPUT, 0,
				"label_join: invalid label name \"" STR_FMT "\"",
				STR_ARG(text_arg(x, i)));
	}
	if (eval_each(ev, ev_arg(x, 0), g, (struct sink){on_join, &r}, e) != 0)
		return -1;
	return mat_emit(ev, &r.merged.mat, g, out, e);
}
