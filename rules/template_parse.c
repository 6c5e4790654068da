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

const struct str tmpl_prelude[TMPL_PRELUDE] = {
	{"$labels", 7}, {"$externalLabels", 15}, {"$externalURL", 12}, {"$value", 6}};

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

/* The body of a definition: a scope of its own, where only `$` is known. */
static bool parse_define(struct tmpl_parser *p, struct str name, size_t off)
{
	struct tmpl_define *d = ARENA_NEW(p->a, struct tmpl_define);
	unsigned vars = p->n_vars, max = p->max_vars, loops = p->loops;
	struct str *saved = ARENA_ARRAY(p->a, vars, struct str);
	enum ender end;

	if (d == NULL || saved == NULL)
		return tmpl_fail_parse(p, off, "the template needs too much memory");
	for (const struct tmpl_define *o = p->defines; o != NULL; o = o->next) {
		if (str_eq(o->name, name))
			return tmpl_fail_parse(
				p, off, "template \"" STR_FMT "\" is defined twice", STR_ARG(name));
	}
	if (++p->depth > LIMIT_TEMPLATE_DEPTH)
		return tmpl_fail_parse(p, off, "nested deeper than %u", LIMIT_TEMPLATE_DEPTH);
	d->name = name;
	d->next = p->defines;
	p->defines = d;
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
	return true;
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

struct template *template_parse(struct arena *a, struct str text, struct err *e)
{
	struct template *t = ARENA_NEW(a, struct template);
	struct tmpl_define *m = ARENA_NEW(a, struct tmpl_define);
	struct tmpl_parser *p = ARENA_NEW(a, struct tmpl_parser);
	enum ender end;

	if (text.n > LIMIT_TEMPLATE_BYTES) {
		(void)err_set(e, ERR_LIMIT, 0, "the template is longer than %u bytes",
			LIMIT_TEMPLATE_BYTES);
		return NULL;
	}
	if (t == NULL || m == NULL || p == NULL) {
		(void)err_set(e, ERR_LIMIT, 0, "the template needs too much memory");
		return NULL;
	}
	t->text = arena_str(a, text);
	*p = (struct tmpl_parser){.a = a, .e = e, .text = t->text};
	p->vars[p->n_vars++] = STR("$");
	for (size_t i = 0; i < TMPL_PRELUDE; i++)
		p->vars[p->n_vars++] = tmpl_prelude[i];
	p->max_vars = p->n_vars;
	p->t = t->text.p != NULL ? tmpl_lex(a, t->text, e) : NULL;
	if (p->t == NULL || !parse_list(p, &m->list, &end))
		return NULL;
	if (end != END_EOF) {
		(void)tmpl_fail_parse(
			p, p->t[-1].off, "unexpected {{" STR_FMT "}}", STR_ARG(p->t[-1].text));
		return NULL;
	}
	m->n_slots = p->max_vars;
	t->main = m;
	t->defines = p->defines;
	return t;
}
