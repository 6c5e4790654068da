/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_exec - runs a template's tree: bounded in steps, depth and output; nothing it reads can
 * make it loop or recurse further than LIMIT_TEMPLATE_*.
 *
 * The walk is recursive; x->depth bounds it: NOLINTBEGIN(misc-no-recursion)
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/template_private.h"

#define ROUTE_LABEL_DEPTH 16u /* labels of a route that refer to each other */

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAIL };

static enum flow run_list(struct tmpl_exec *x, const struct tmpl_node *n);
static int eval_pipe(struct tmpl_exec *x, const struct tmpl_pipe *p, struct tv *out);

void tmpl_set_error(struct tmpl_exec *x, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX];
	const struct tmpl_operand *at = x->at;
	const struct tmpl_source *from = x->def != NULL ? x->def->source : x->t->source;
	unsigned line = 1, col = 1;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	if (at == NULL) {
		(void)err_set(x->e, ERR_INPUT, 0, "%s", msg);
		return;
	}
	for (size_t i = 0; i < at->off && i < from->text.n; i++) {
		line += from->text.p[i] == '\n';
		col = from->text.p[i] == '\n' ? 1 : col + 1;
	}
	/* A place in another text is no place in the one that was run. */
	(void)err_set_at(x->e, ERR_INPUT, from == x->t->source ? at->off : SIZE_MAX,
		"%.*s%s%u:%u: at <%.*s>: %s", (int)MIN_OF(from->file.n, (size_t)60), from->file.p,
		from->file.n > 0 ? ":" : "", line, col, (int)MIN_OF(at->len, (size_t)60),
		from->text.p + at->off, msg);
}

static bool step(struct tmpl_exec *x)
{
	uint64_t max = x->env->max_steps > 0 ? x->env->max_steps : LIMIT_TEMPLATE_STEPS;

	if (x->a->failed) {
		(void)tmpl_fail(x, "the template needs too much memory");
		return false;
	}
	if (x->out->failed) {
		(void)tmpl_fail(x, "the text is longer than %zu bytes", x->out->max);
		return false;
	}
	if (x->steps++ >= max) {
		(void)tmpl_fail(
			x, "the template takes more than %llu steps", (unsigned long long)max);
		return false;
	}
	if (x->env->deadline_ns != 0 && x->steps % 64 == 0 &&
		clock_real_ns() > x->env->deadline_ns) {
		(void)tmpl_fail(x, "the template takes too long");
		return false;
	}
	return true;
}

static bool deeper(struct tmpl_exec *x)
{
	if (x->depth < 2 * LIMIT_TEMPLATE_DEPTH) { /* a level is a list and a pipeline */
		x->depth++;
		return true;
	}
	(void)tmpl_fail(x, "nested deeper than %u", LIMIT_TEMPLATE_DEPTH);
	return false;
}

/* --- operands --- */

static bool is_missing(const struct tv *from, struct str name, const struct tv *found)
{
	for (size_t i = 0; from->kind == TV_LABELS && i < from->u.labels.n; i++) {
		if (str_eq(from->u.labels.v[i].name, name))
			return false;
	}
	if (from->kind == TV_LABELS)
		return true;
	return (from->kind == TV_MAP || from->kind == TV_NONE) && found->kind == TV_NONE;
}

static int get_field(struct tmpl_exec *x, const struct tv *from, struct str name,
	const struct tv *args, size_t n, struct tv *out)
{
	bool found = false;

	if (from->kind == TV_TIME || from->kind == TV_DURATION)
		return tmpl_method(x, from, name, args, n, out);
	if (from->named != TV_PLAIN) {
		int rc = tmpl_named_method(x, from, name, args, n, out, &found);

		if (rc != 0 || found)
			return rc;
	}
	if (from->kind == TV_NIL)
		return tmpl_fail(x, "nil has no field " STR_FMT, STR_ARG(name));
	if (!tv_get(from, name, out))
		return tmpl_fail(x, "can't evaluate field " STR_FMT " in type %s", STR_ARG(name),
			tv_type(from));
	if (n > 0)
		return tmpl_fail(x, STR_FMT " has arguments but is no function", STR_ARG(name));
	if (x->env->missing_fails && is_missing(from, name, out))
		return tmpl_fail(x, "no entry for key " STR_FMT, STR_ARG(name));
	return 0;
}

static int call(struct tmpl_exec *x, const struct tmpl_func *f, const struct tv *args, size_t n,
	struct tv *out)
{
	if (n < f->min || n > f->max)
		return tmpl_fail(x, "wrong number of arguments for %s: want %s%zu got %zu", f->name,
			f->max == f->min ? ""
			: n < f->min     ? "at least "
					 : "at most ",
			n < f->min ? f->min : f->max, n);
	*out = (struct tv){.kind = TV_NONE};
	if (f->fn == NULL) /* `and`, `or` without arguments to look at */
		return tmpl_fail(x, "%s needs arguments", f->name);
	return f->fn(x, args, n, out);
}

/* The value itself, before its fields. */
static int eval_base(struct tmpl_exec *x, const struct tmpl_operand *o, struct tv *out)
{
	switch (o->kind) {
	case TMPL_O_DOT: *out = x->dot; return 0;
	case TMPL_O_VAR: *out = x->frame[o->slot]; return 0;
	case TMPL_O_FUNC: return call(x, o->func, NULL, 0, out);
	case TMPL_O_PIPE: return eval_pipe(x, o->pipe, out);
	case TMPL_O_VALUE:
	case TMPL_O_NIL:
	default: *out = o->value; return 0;
	}
}

/* With its fields; the arguments go to the last one. */
static int eval_chain(struct tmpl_exec *x, const struct tmpl_operand *o, const struct tv *args,
	size_t n, struct tv *out)
{
	if (eval_base(x, o, out) != 0)
		return -1;
	x->at = o;
	for (size_t i = 0; i < o->n_fields; i++) {
		bool last = i + 1 == o->n_fields;
		struct tv from = *out;

		if (get_field(x, &from, o->fields[i], last ? args : NULL, last ? n : 0, out) != 0)
			return -1;
	}
	return 0;
}

/* --- commands and pipelines --- */

/* `and` and `or` look at no more arguments than they need. */
static int eval_logic(struct tmpl_exec *x, const struct tmpl_command *c, bool is_and,
	const struct tv *final, struct tv *out)
{
	for (size_t i = 1; i < c->n; i++) {
		if (eval_chain(x, &c->args[i], NULL, 0, out) != 0)
			return -1;
		if (tv_true(out) != is_and)
			return 0;
	}
	if (final != NULL)
		*out = *final;
	if (c->n == 1 && final == NULL)
		return tmpl_fail(x, "%s needs arguments", is_and ? "and" : "or");
	return 0;
}

static int eval_args(struct tmpl_exec *x, const struct tmpl_command *c, const struct tv *final,
	struct tv **args, size_t *n)
{
	*n = c->n - 1 + (final != NULL);
	*args = ARENA_ARRAY(x->a, *n, struct tv);
	if (*args == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	for (size_t i = 1; i < c->n; i++) {
		if (eval_chain(x, &c->args[i], NULL, 0, &(*args)[i - 1]) != 0)
			return -1;
	}
	if (final != NULL)
		(*args)[*n - 1] = *final;
	return 0;
}

static int eval_command(
	struct tmpl_exec *x, const struct tmpl_command *c, const struct tv *final, struct tv *out)
{
	const struct tmpl_operand *o = &c->args[0];
	struct tv *args;
	size_t n;

	if (!step(x))
		return -1;
	x->at = o;
	if (o->kind == TMPL_O_NIL)
		return tmpl_fail(x, "nil is not a command");
	if (o->kind == TMPL_O_FUNC && o->n_fields == 0 && o->func->fn == NULL)
		return eval_logic(x, c, str_eq(str_c(o->func->name), STR("and")), final, out);
	if (o->kind != TMPL_O_FUNC && o->n_fields == 0 && (c->n > 1 || final != NULL))
		return tmpl_fail(x, "can't give arguments to what is no function");
	if (eval_args(x, c, final, &args, &n) != 0)
		return -1;
	x->at = o;
	if (o->kind == TMPL_O_FUNC && o->n_fields == 0)
		return call(x, o->func, args, n, out);
	return eval_chain(x, o, args, n, out);
}

static int eval_pipe(struct tmpl_exec *x, const struct tmpl_pipe *p, struct tv *out)
{
	struct tv v = {.kind = TV_NONE};

	if (!deeper(x))
		return -1;
	for (size_t i = 0; i < p->n; i++) {
		struct tv final = v;

		v = (struct tv){.kind = TV_NONE};
		if (eval_command(x, &p->commands[i], i > 0 ? &final : NULL, &v) != 0)
			return -1;
	}
	for (unsigned i = 0; i < p->n_slots; i++)
		x->frame[p->slots[i]] = v;
	x->depth--;
	*out = v;
	return 0;
}

/* --- nodes --- */

static enum flow run_branch(struct tmpl_exec *x, const struct tmpl_node *n)
{
	struct tv v, dot = x->dot;
	enum flow f;

	if (eval_pipe(x, n->pipe, &v) != 0)
		return FLOW_FAIL;
	if (n->kind == TMPL_N_WITH && tv_true(&v))
		x->dot = v;
	f = run_list(x, tv_true(&v) ? n->list : n->other);
	x->dot = dot;
	return f;
}

static enum flow run_turn(struct tmpl_exec *x, const struct tmpl_node *n, const struct tv *key,
	const struct tv *value)
{
	const struct tmpl_pipe *p = n->pipe;

	if (p->n_slots == 1)
		x->frame[p->slots[0]] = *value;
	if (p->n_slots == 2) {
		x->frame[p->slots[0]] = *key;
		x->frame[p->slots[1]] = *value;
	}
	x->dot = *value;
	return step(x) ? run_list(x, n->list) : FLOW_FAIL;
}

/* The i-th element of what is ranged over; false past the last. */
static bool element(const struct tv *v, size_t i, struct tv *key, struct tv *value)
{
	*key = tv_int((int64_t)i);
	switch (v->kind) {
	case TV_LIST:
		if (i < v->u.list.n)
			*value = v->u.list.v[i];
		return i < v->u.list.n;
	case TV_MAP:
		if (i >= v->u.map->n)
			return false;
		*key = tv_str(v->u.map->v[i].name);
		*value = *v->u.map->v[i].value;
		return true;
	case TV_LABELS:
		if (i >= v->u.labels.n)
			return false;
		*key = tv_str(v->u.labels.v[i].name);
		*value = tv_str(v->u.labels.v[i].value);
		return true;
	case TV_INT: *value = *key; return v->u.i > 0 && i < (uint64_t)v->u.i;
	case TV_NONE:
	case TV_NIL:
	case TV_BOOL:
	case TV_FLOAT:
	case TV_STR:
	case TV_STRUCT:
	case TV_TIME:
	case TV_DURATION:
	case TV_HIST:
	default: return false;
	}
}

static bool can_range(const struct tv *v)
{
	return v->kind == TV_LIST || v->kind == TV_MAP || v->kind == TV_LABELS ||
	       v->kind == TV_INT || v->kind == TV_NONE;
}

static enum flow run_range(struct tmpl_exec *x, const struct tmpl_node *n)
{
	struct tv v, key, value, dot = x->dot;
	enum flow f = FLOW_ON;
	size_t i = 0;

	if (eval_pipe(x, n->pipe, &v) != 0)
		return FLOW_FAIL;
	if (!can_range(&v)) {
		(void)tmpl_fail(x, "range can't iterate over %s", tv_type(&v));
		return FLOW_FAIL;
	}
	while (f != FLOW_BREAK && f != FLOW_FAIL && element(&v, i, &key, &value)) {
		f = run_turn(x, n, &key, &value);
		i++;
	}
	x->dot = dot;
	if (f == FLOW_FAIL)
		return f;
	return i == 0 ? run_list(x, n->other) : FLOW_ON;
}

static enum flow run_node(struct tmpl_exec *x, const struct tmpl_node *n)
{
	struct tv v = {.kind = TV_NONE};

	if (!step(x))
		return FLOW_FAIL;
	switch (n->kind) {
	case TMPL_N_TEXT:
		if (x->html != NULL)
			tmpl_html_text(x->html, n->text, x->out);
		else
			buf_str(x->out, n->text);
		return FLOW_ON;
	case TMPL_N_PIPE:
		if (eval_pipe(x, n->pipe, &v) != 0)
			return FLOW_FAIL;
		if (n->pipe->n_slots == 0 && x->html != NULL)
			return tmpl_html_value(x, &v) == 0 ? FLOW_ON : FLOW_FAIL;
		if (n->pipe->n_slots == 0)
			tv_print(x->out, &v);
		return FLOW_ON;
	case TMPL_N_IF:
	case TMPL_N_WITH: return run_branch(x, n);
	case TMPL_N_RANGE: return run_range(x, n);
	case TMPL_N_CALL:
		if (n->pipe != NULL && eval_pipe(x, n->pipe, &v) != 0)
			return FLOW_FAIL;
		return tmpl_call(x, n->text, v) == 0 ? FLOW_ON : FLOW_FAIL;
	case TMPL_N_BREAK: return FLOW_BREAK;
	case TMPL_N_CONTINUE: return FLOW_CONTINUE;
	default: return FLOW_FAIL;
	}
}

static enum flow run_list(struct tmpl_exec *x, const struct tmpl_node *n)
{
	enum flow f = FLOW_ON;

	if (!deeper(x))
		return FLOW_FAIL;
	for (; n != NULL && f == FLOW_ON; n = n->next)
		f = run_node(x, n);
	x->depth--;
	return f;
}

static int run_define(
	struct tmpl_exec *x, const struct tmpl_define *d, const struct tv *prelude, struct tv data)
{
	struct tv *frame = ARENA_ARRAY(x->a, d->n_slots, struct tv), *outer = x->frame;
	const struct tmpl_define *caller = x->def;
	struct tv dot = x->dot;
	enum flow f;

	if (frame == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	frame[0] = data;
	if (prelude != NULL && x->t->lang->n_prelude > 0)
		memcpy(&frame[1], prelude, x->t->lang->n_prelude * sizeof *prelude);
	x->frame = frame;
	x->dot = data;
	x->def = d;
	f = run_list(x, d->list);
	if (f == FLOW_FAIL)
		return -1;
	x->def = caller;
	x->frame = outer;
	x->dot = dot;
	return 0;
}

int tmpl_call(struct tmpl_exec *x, struct str name, struct tv data)
{
	const struct tmpl_define *d = tmpl_find(x->t->defines, name);

	if (d == NULL && x->t->set != NULL)
		d = tmpl_find(x->t->set->defines, name);
	if (d != NULL)
		return run_define(x, d, NULL, data);
	return tmpl_fail(x, "template \"" STR_FMT "\" is not defined", STR_ARG(name));
}

/* A route's label is a template of its own: run over the same data, as plain text. */
int tmpl_route_label(struct tmpl_exec *x, struct str name, struct tv *out)
{
	struct str text = labels_get(x->env->route_labels, name);
	struct tmpl_exec inner = *x;
	const struct template *t;
	struct buf b;
	int rc;

	*out = tv_str(text);
	if (x->env->route_rendered || text.n == 0)
		return 0;
	if (x->route_depth >= ROUTE_LABEL_DEPTH)
		return tmpl_fail(
			x, "route label \"" STR_FMT "\" goes round in circles", STR_ARG(name));
	t = template_parse_in(x->t->set, x->a, text, x->e);
	if (t == NULL)
		return err_wrap(x->e, "route label \"" STR_FMT "\"", STR_ARG(name));
	buf_init(&b, x->out->max);
	inner.t = t;
	inner.html = NULL;
	inner.out = &b;
	inner.route_depth++;
	rc = run_define(&inner, t->main, NULL, x->env->root);
	x->steps = inner.steps;
	if (rc != 0)
		buf_fini(&b);
	return rc != 0 ? -1 : tmpl_take(x, &b, out);
}

/* NOLINTEND(misc-no-recursion) */

int tmpl_run(const struct template *t, const struct tmpl_env *env, struct tv data,
	struct arena *scratch, struct buf *out, struct err *e)
{
	struct tmpl_exec x = {
		.t = t, .env = env, .html = env->html, .a = scratch, .out = out, .e = e};

	if (run_define(&x, t->main, env->prelude, data) != 0)
		return -1;
	x.at = NULL;
	return step(&x) ? 0 : -1;
}

int template_run_notify(const struct template *t, const struct template_notify_run *r,
	struct arena *scratch, struct buf *out, struct err *e)
{
	struct tmpl_html html = {0};
	struct tmpl_env env = {.max_steps = r->max_steps,
		.deadline_ns = r->max_ns > 0 ? i64_add_sat(clock_real_ns(), r->max_ns) : 0,
		.html = r->html ? &html : NULL,
		.route_labels = r->route_labels,
		.route_rendered = r->route_rendered,
		.root = r->data,
		.now_ms = r->now_ms};

	return tmpl_run(t, &env, r->data, scratch, out, e);
}

int template_run_rule(const struct template *t, const struct template_rule_data *d,
	struct arena *scratch, struct buf *out, struct err *e)
{
	struct tmpl_env env = {.external_url = d->external_url,
		.now_ms = d->now_ms,
		.query = d->query,
		.query_ctx = d->query_ctx};
	struct tv_field f[TMPL_PRELUDE] = {{STR("Labels"), &env.prelude[0]},
		{STR("ExternalLabels"), &env.prelude[1]}, {STR("ExternalURL"), &env.prelude[2]},
		{STR("Value"), &env.prelude[3]}};
	struct tv data = tv_struct(scratch, "template.AlertData", f, TMPL_PRELUDE);

	env.prelude[0] = tv_labels(d->labels);
	env.prelude[1] = tv_labels(d->external_labels);
	env.prelude[2] = tv_str(d->external_url);
	env.prelude[3] =
		d->hist != NULL ? (struct tv){.kind = TV_HIST, .u.h = d->hist} : tv_float(d->value);
	return tmpl_run(t, &env, data, scratch, out, e);
}
