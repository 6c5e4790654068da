/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_parse - tokens to a tree: text, actions and control structures. Variables become slots
 * of a frame here, so that running needs no names. Pipelines are template_pipe.c's.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/template_private.h"

/* Recursive, bounded by p->depth: NOLINTBEGIN(misc-no-recursion) */

enum ender { END_EOF, END_END, END_ELSE };

static bool parse_list(struct tmpl_parser *p, struct tmpl_node **out, enum ender *end);

bool tmpl_fail_parse(struct tmpl_parser *p, size_t off, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	(void)err_set_at(p->e, ERR_INPUT, off, "%s", msg);
	return false;
}

void tmpl_skip_space(struct tmpl_parser *p)
{
	while (p->t->kind == TMPL_SPACE)
		p->t++;
}

static bool is_word(const struct tmpl_token *t, const char *word)
{
	return t->kind == TMPL_IDENT && str_eq(t->text, str_c(word));
}

static bool expect_right(struct tmpl_parser *p, const char *where)
{
	tmpl_skip_space(p);
	if (p->t->kind != TMPL_RIGHT)
		return tmpl_fail_parse(p, p->t->off, "unexpected \"" STR_FMT "\" in %s",
			STR_ARG(p->t->text), where);
	p->t++;
	return true;
}

static struct tmpl_node *new_node(struct tmpl_parser *p, enum tmpl_node_kind kind, size_t off)
{
	struct tmpl_node *n = ARENA_NEW(p->a, struct tmpl_node);

	if (n == NULL) {
		(void)tmpl_fail_parse(p, off, "the template needs too much memory");
		return NULL;
	}
	n->kind = kind;
	n->off = off;
	return n;
}

/* --- if, range, with --- */

static bool parse_body(struct tmpl_parser *p, struct tmpl_node *n, enum ender *end)
{
	if (!parse_list(p, &n->list, end))
		return false;
	if (*end == END_EOF)
		return tmpl_fail_parse(p, n->off, "this has no {{end}}");
	return true;
}

static bool parse_control(
	struct tmpl_parser *p, enum tmpl_node_kind kind, const char *word, struct tmpl_node **out);

/* `{{else if ...}}` and `{{else with ...}}` are an if or with inside the else, sharing its end. */
static bool parse_else(struct tmpl_parser *p, struct tmpl_node *n)
{
	enum ender end;

	tmpl_skip_space(p);
	if (n->kind == TMPL_N_IF && is_word(p->t, "if"))
		return parse_control(p, TMPL_N_IF, "if", &n->other);
	if (n->kind == TMPL_N_WITH && is_word(p->t, "with"))
		return parse_control(p, TMPL_N_WITH, "with", &n->other);
	if (!expect_right(p, "else"))
		return false;
	if (!parse_list(p, &n->other, &end))
		return false;
	if (end == END_ELSE)
		return tmpl_fail_parse(p, p->t[-1].off, "a second {{else}}");
	if (end == END_EOF)
		return tmpl_fail_parse(p, n->off, "this has no {{end}}");
	return expect_right(p, "end");
}

/* At the keyword. */
static bool parse_control(
	struct tmpl_parser *p, enum tmpl_node_kind kind, const char *word, struct tmpl_node **out)
{
	struct tmpl_node *n = new_node(p, kind, p->t->off);
	unsigned vars = p->n_vars;
	enum ender end;
	bool ok;

	if (n == NULL)
		return false;
	if (++p->depth > LIMIT_TEMPLATE_DEPTH)
		return tmpl_fail_parse(p, n->off, "nested deeper than %u", LIMIT_TEMPLATE_DEPTH);
	p->t++;
	n->pipe = tmpl_parse_pipe(p, TMPL_RIGHT, word);
	if (n->pipe == NULL)
		return false;
	p->loops += kind == TMPL_N_RANGE;
	ok = parse_body(p, n, &end);
	p->loops -= kind == TMPL_N_RANGE;
	if (ok)
		ok = end == END_ELSE ? parse_else(p, n) : expect_right(p, "end");
	p->n_vars = vars;
	p->depth--;
	*out = n;
	return ok;
}

static bool parse_jump(struct tmpl_parser *p, enum tmpl_node_kind kind, struct tmpl_node **out)
{
	const struct tmpl_token *t = p->t++;

	if (p->loops == 0)
		return tmpl_fail_parse(
			p, t->off, "{{" STR_FMT "}} outside of {{range}}", STR_ARG(t->text));
	*out = new_node(p, kind, t->off);
	return *out != NULL && expect_right(p, "break or continue");
}

/* --- define, template, block --- */

static bool parse_name(struct tmpl_parser *p, const char *what, struct str *name)
{
	tmpl_skip_space(p);
	if (p->t->kind != TMPL_STRING)
		return tmpl_fail_parse(p, p->t->off, "%s needs a quoted name", what);
	*name = p->t->text;
	p->t++;
	return true;
}

static bool is_blank(struct str s)
{
	return str_trim(s).n == 0;
}

/* As Go has it: an empty definition gives way to one with content, and never replaces one. */
static bool keep_define(struct tmpl_parser *p, struct tmpl_define *d, size_t off)
{
	d->empty = true;
	for (const struct tmpl_node *n = d->list; n != NULL; n = n->next)
		d->empty = d->empty && n->kind == TMPL_N_TEXT && is_blank(n->text);
	for (struct tmpl_define *o = p->defines; o != NULL; o = o->next) {
		if (!str_eq(o->name, d->name) || o->name.n == 0)
			continue;
		if (!o->empty && !d->empty)
			return tmpl_fail_parse(p, off, "template \"" STR_FMT "\" is defined twice",
				STR_ARG(d->name));
		if (o->empty) {
			d->next = o->next;
			*o = *d;
		}
		return true;
	}
	d->next = p->defines;
	p->defines = d;
	return true;
}

/* The body of a definition: a scope of its own, where only `$` is known. */
static bool parse_define(struct tmpl_parser *p, struct str name, size_t off)
{
	struct tmpl_define *d = ARENA_NEW(p->a, struct tmpl_define);
	unsigned vars = p->n_vars, max = p->max_vars, loops = p->loops;
	struct str *saved = ARENA_ARRAY(p->a, vars, struct str);
	enum ender end;

	if (d == NULL || saved == NULL)
		return tmpl_fail_parse(p, off, "the template needs too much memory");
	if (++p->depth > LIMIT_TEMPLATE_DEPTH)
		return tmpl_fail_parse(p, off, "nested deeper than %u", LIMIT_TEMPLATE_DEPTH);
	d->name = name;
	d->source = p->source;
	memcpy(saved, p->vars, vars * sizeof *saved);
	p->vars[0] = STR("$");
	p->n_vars = p->max_vars = 1;
	p->loops = 0;
	if (!parse_list(p, &d->list, &end))
		return false;
	if (end != END_END)
		return tmpl_fail_parse(p, off, "this has no {{end}}");
	if (!expect_right(p, "end"))
		return false;
	d->n_slots = p->max_vars;
	memcpy(p->vars, saved, vars * sizeof *saved);
	p->n_vars = vars;
	p->max_vars = max;
	p->loops = loops;
	p->depth--;
	return keep_define(p, d, off);
}

static bool parse_call(struct tmpl_parser *p, struct tmpl_node **out)
{
	struct tmpl_node *n = new_node(p, TMPL_N_CALL, p->t->off);

	p->t++;
	if (n == NULL || !parse_name(p, "{{template}}", &n->text))
		return false;
	*out = n;
	tmpl_skip_space(p);
	if (p->t->kind == TMPL_RIGHT) {
		p->t++;
		return true;
	}
	n->pipe = tmpl_parse_pipe(p, TMPL_RIGHT, "template");
	return n->pipe != NULL;
}

static bool parse_block(struct tmpl_parser *p, struct tmpl_node **out)
{
	struct tmpl_node *n = new_node(p, TMPL_N_CALL, p->t->off);

	p->t++;
	if (n == NULL || !parse_name(p, "{{block}}", &n->text))
		return false;
	n->pipe = tmpl_parse_pipe(p, TMPL_RIGHT, "block");
	*out = n;
	return n->pipe != NULL && parse_define(p, n->text, n->off);
}

static bool parse_definition(struct tmpl_parser *p, size_t off)
{
	struct str name = STR_NULL;

	p->t++;
	if (p->depth > 0)
		return tmpl_fail_parse(p, off, "{{define}} stands inside of another action");
	return parse_name(p, "{{define}}", &name) && expect_right(p, "define") &&
	       parse_define(p, name, off);
}

/* --- lists --- */

/* Behind {{: one action; *out stays NULL when it leaves no node. */
static bool parse_action(struct tmpl_parser *p, struct tmpl_node **out)
{
	struct tmpl_node *n;

	if (is_word(p->t, "if"))
		return parse_control(p, TMPL_N_IF, "if", out);
	if (is_word(p->t, "range"))
		return parse_control(p, TMPL_N_RANGE, "range", out);
	if (is_word(p->t, "with"))
		return parse_control(p, TMPL_N_WITH, "with", out);
	if (is_word(p->t, "template"))
		return parse_call(p, out);
	if (is_word(p->t, "block"))
		return parse_block(p, out);
	if (is_word(p->t, "define"))
		return parse_definition(p, p->t->off);
	if (is_word(p->t, "break"))
		return parse_jump(p, TMPL_N_BREAK, out);
	if (is_word(p->t, "continue"))
		return parse_jump(p, TMPL_N_CONTINUE, out);
	n = new_node(p, TMPL_N_PIPE, p->t->off);
	if (n == NULL)
		return false;
	n->pipe = tmpl_parse_pipe(p, TMPL_RIGHT, "command");
	*out = n;
	return n->pipe != NULL;
}

/* Nodes up to {{end}}, {{else}} (whose keyword is consumed, not its }}) or the end of the text.
 */
static bool parse_list(struct tmpl_parser *p, struct tmpl_node **out, enum ender *end)
{
	struct tmpl_node *first = NULL, *last = NULL;

	for (;;) {
		struct tmpl_node *n = NULL;
		size_t off = p->t->off;

		if (p->t->kind == TMPL_EOF) {
			*end = END_EOF;
			break;
		}
		if (p->t->kind == TMPL_TEXT) {
			n = new_node(p, TMPL_N_TEXT, off);
			if (n == NULL)
				return false;
			n->text = p->t->text;
			p->t++;
		} else {
			ASSERT(p->t->kind == TMPL_LEFT);
			p->t++;
			tmpl_skip_space(p);
			if (is_word(p->t, "end") || is_word(p->t, "else")) {
				*end = is_word(p->t, "end") ? END_END : END_ELSE;
				p->t++;
				break;
			}
			if (!parse_action(p, &n))
				return false;
		}
		if (n == NULL)
			continue;
		if (last == NULL)
			first = n;
		else
			last->next = n;
		last = n;
	}
	*out = first;
	return true;
}

/* NOLINTEND(misc-no-recursion) */

/* Text to main and definitions; main is not among p->defines. */
static struct tmpl_define *parse_text(
	struct tmpl_parser *p, struct arena *a, struct str text, bool ours, struct str file)
{
	struct tmpl_define *m = ARENA_NEW(a, struct tmpl_define);
	struct tmpl_source *source = ARENA_NEW(a, struct tmpl_source);
	enum ender end;

	if (text.n > LIMIT_TEMPLATE_BYTES) {
		(void)err_set(p->e, ERR_LIMIT, 0, "the template is longer than %u bytes",
			LIMIT_TEMPLATE_BYTES);
		return NULL;
	}
	if (m == NULL || source == NULL) {
		(void)err_set(p->e, ERR_LIMIT, 0, "the template needs too much memory");
		return NULL;
	}
	*source = (struct tmpl_source){arena_str(a, file), arena_str(a, text), ours};
	p->a = a;
	p->source = source;
	p->vars[p->n_vars++] = STR("$");
	for (size_t i = 0; i < p->lang->n_prelude; i++)
		p->vars[p->n_vars++] = p->lang->prelude[i];
	p->max_vars = p->n_vars;
	if (source->text.p == NULL || source->file.p == NULL) {
		(void)err_set(p->e, ERR_LIMIT, 0, "the template needs too much memory");
		return NULL;
	}
	p->t = tmpl_lex(a, source->text, p->e);
	if (p->t == NULL || !parse_list(p, &m->list, &end)) {
		if (a->failed)
			(void)err_set(p->e, ERR_LIMIT, 0, "the template needs too much memory");
		return NULL;
	}
	if (end != END_EOF) {
		(void)tmpl_fail_parse(
			p, p->t[-1].off, "unexpected {{" STR_FMT "}}", STR_ARG(p->t[-1].text));
		return NULL;
	}
	m->n_slots = p->max_vars;
	m->source = source;
	m->empty = true;
	for (const struct tmpl_node *n = m->list; n != NULL; n = n->next)
		m->empty = m->empty && n->kind == TMPL_N_TEXT && is_blank(n->text);
	return m;
}

static struct template *parse_template(const struct tmpl_lang *lang, const struct template_set *set,
	struct arena *a, struct str text, struct err *e)
{
	struct template *t = ARENA_NEW(a, struct template);
	struct tmpl_parser *p = ARENA_NEW(a, struct tmpl_parser);

	if (t == NULL || p == NULL) {
		(void)err_set(e, ERR_LIMIT, 0, "the template needs too much memory");
		return NULL;
	}
	p->lang = lang;
	p->e = e;
	t->main = parse_text(p, a, text, false, STR(""));
	if (t->main == NULL)
		return NULL;
	t->lang = lang;
	t->source = p->source;
	t->defines = p->defines;
	t->set = set;
	return t;
}

struct template *template_parse(struct arena *a, struct str text, struct err *e)
{
	return parse_template(&tmpl_lang_rule, NULL, a, text, e);
}

struct template *template_parse_in(
	const struct template_set *s, struct arena *a, struct str text, struct err *e)
{
	return parse_template(&tmpl_lang_notify, s, a, text, e);
}

/* --- sets --- */

struct template_set *template_set_new(struct arena *a)
{
	struct template_set *s = ARENA_NEW(a, struct template_set);

	if (s != NULL)
		s->a = a;
	return s;
}

const struct tmpl_define *tmpl_find(const struct tmpl_define *d, struct str name)
{
	while (d != NULL && !str_eq(d->name, name))
		d = d->next;
	return d;
}

static void set_put(struct template_set *s, struct tmpl_define *d)
{
	const struct tmpl_define *old = tmpl_find(s->defines, d->name);

	if (old != NULL && !old->empty && d->empty)
		return;
	d->next = s->defines;
	s->defines = d;
}

int template_set_add(
	struct template_set *s, struct str file, struct str text, bool ours, struct err *e)
{
	struct tmpl_parser *p = ARENA_NEW(s->a, struct tmpl_parser);
	struct tmpl_define *m, *next;
	size_t slash = file.n;

	if (p == NULL)
		return err_set(e, ERR_LIMIT, 0, "the template needs too much memory");
	p->lang = &tmpl_lang_notify;
	p->e = e;
	m = parse_text(p, s->a, text, ours, file);
	if (m == NULL)
		return -1;
	for (struct tmpl_define *d = p->defines; d != NULL; d = next) {
		next = d->next;
		set_put(s, d);
	}
	while (slash > 0 && file.p[slash - 1] != '/')
		slash--;
	m->name = str_sub(p->source->file, slash, file.n);
	if (m->name.n > 0)
		set_put(s, m);
	return 0;
}

/* --- what was redefined --- */

static bool is_one_of(struct str name, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(name, v[i]))
			return true;
	}
	return false;
}

/* Bounded by depth: NOLINTBEGIN(misc-no-recursion) */
static bool list_redefined(const struct template_set *s, const struct tmpl_node *n,
	const struct str *besides, size_t n_besides, unsigned depth)
{
	for (; n != NULL && depth > 0; n = n->next) {
		const struct tmpl_define *d;

		if (list_redefined(s, n->list, besides, n_besides, depth - 1) ||
			list_redefined(s, n->other, besides, n_besides, depth - 1))
			return true;
		if (n->kind != TMPL_N_CALL || is_one_of(n->text, besides, n_besides))
			continue;
		d = tmpl_find(s->defines, n->text);
		if (d != NULL && (!d->source->ours ||
					 list_redefined(s, d->list, besides, n_besides, depth - 1)))
			return true;
	}
	return false;
}
/* NOLINTEND(misc-no-recursion) */

bool template_set_redefined(
	const struct template_set *s, struct str name, const struct str *besides, size_t n)
{
	const struct tmpl_define *d = tmpl_find(s->defines, name);

	if (d == NULL)
		return false;
	return !d->source->ours || list_redefined(s, d->list, besides, n, 12);
}
