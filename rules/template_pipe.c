/* SPDX-License-Identifier: Apache-2.0 */
/* template_pipe - parses pipelines: declarations, commands, operands with their field chains. */
#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/template_private.h"

#define MAX_ARGS   32u /* operands of one command */
#define MAX_CMDS   32u /* commands of one pipeline */
#define MAX_FIELDS 32u /* .a.b.c behind one operand */

static bool is_keyword(struct str s)
{
	static const struct str words[] = {{"if", 2}, {"else", 4}, {"end", 3}, {"range", 5},
		{"with", 4}, {"define", 6}, {"template", 8}, {"block", 5}, {"break", 5},
		{"continue", 8}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(s, words[i]))
			return true;
	}
	return false;
}

static bool find_var(struct tmpl_parser *p, const struct tmpl_token *t, unsigned *slot)
{
	for (unsigned i = p->n_vars; i-- > 0;) {
		if (str_eq(p->vars[i], t->text)) {
			*slot = i;
			return true;
		}
	}
	return tmpl_fail_parse(p, t->off, "undefined variable \"" STR_FMT "\"", STR_ARG(t->text));
}

static bool declare(struct tmpl_parser *p, const struct tmpl_token *t, unsigned *slot)
{
	if (p->n_vars == TMPL_VARS)
		return tmpl_fail_parse(p, t->off, "more than %u variables", TMPL_VARS);
	*slot = p->n_vars;
	p->vars[p->n_vars++] = t->text;
	p->max_vars = MAX_OF(p->max_vars, p->n_vars);
	return true;
}

/* --- operands; brackets recurse, bounded by p->depth: NOLINTBEGIN(misc-no-recursion) --- */

static bool parse_word(struct tmpl_parser *p, const struct tmpl_token *t, struct tmpl_operand *o)
{
	if (str_eq(t->text, STR("true")) || str_eq(t->text, STR("false"))) {
		o->kind = TMPL_O_VALUE;
		o->value = tv_bool(t->text.n == 4);
		return true;
	}
	if (str_eq(t->text, STR("nil"))) {
		o->kind = TMPL_O_NIL;
		o->value = (struct tv){.kind = TV_NIL};
		return true;
	}
	if (is_keyword(t->text))
		return tmpl_fail_parse(p, t->off, "unexpected {{" STR_FMT "}}", STR_ARG(t->text));
	o->kind = TMPL_O_FUNC;
	o->func = tmpl_func_find(p->lang, t->text);
	if (o->func == NULL)
		return tmpl_fail_parse(
			p, t->off, "function \"" STR_FMT "\" is not defined", STR_ARG(t->text));
	return true;
}

static bool parse_bracket(struct tmpl_parser *p, struct tmpl_operand *o)
{
	if (++p->depth > LIMIT_TEMPLATE_DEPTH)
		return tmpl_fail_parse(p, p->t->off, "nested deeper than %u", LIMIT_TEMPLATE_DEPTH);
	o->kind = TMPL_O_PIPE;
	o->pipe = tmpl_parse_pipe(p, TMPL_RPAREN, "brackets");
	p->depth--;
	return o->pipe != NULL;
}

static bool parse_fields(struct tmpl_parser *p, struct tmpl_operand *o)
{
	struct str v[MAX_FIELDS], *copy;
	size_t n = 0;

	for (; p->t->kind == TMPL_FIELD; p->t++) {
		if (n == MAX_FIELDS)
			return tmpl_fail_parse(
				p, p->t->off, "more than %u fields in a row", MAX_FIELDS);
		v[n++] = p->t->text;
	}
	if (n == 0)
		return true;
	if (o->kind == TMPL_O_VALUE || o->kind == TMPL_O_NIL)
		return tmpl_fail_parse(
			p, o->off, "unexpected \"." STR_FMT "\" after a constant", STR_ARG(v[0]));
	copy = ARENA_ARRAY(p->a, n, struct str);
	if (copy == NULL)
		return tmpl_fail_parse(p, o->off, "the template needs too much memory");
	memcpy(copy, v, n * sizeof *v);
	o->fields = copy;
	o->n_fields = n;
	return true;
}

static bool parse_operand(struct tmpl_parser *p, struct tmpl_operand *o)
{
	const struct tmpl_token *t = p->t;

	*o = (struct tmpl_operand){.off = t->off};
	if (t->kind != TMPL_FIELD) /* fields alone are fields of the dot */
		p->t++;
	switch (t->kind) {
	case TMPL_FIELD:
	case TMPL_DOT: o->kind = TMPL_O_DOT; break;
	case TMPL_NUMBER:
		o->kind = TMPL_O_VALUE;
		o->value = t->number;
		break;
	case TMPL_STRING:
		o->kind = TMPL_O_VALUE;
		o->value = tv_str(t->text);
		break;
	case TMPL_VAR:
		o->kind = TMPL_O_VAR;
		if (!find_var(p, t, &o->slot))
			return false;
		break;
	case TMPL_IDENT:
		if (!parse_word(p, t, o))
			return false;
		break;
	case TMPL_LPAREN:
		if (!parse_bracket(p, o))
			return false;
		break;
	case TMPL_EOF:
	case TMPL_TEXT:
	case TMPL_LEFT:
	case TMPL_RIGHT:
	case TMPL_SPACE:
	case TMPL_DECLARE:
	case TMPL_ASSIGN:
	case TMPL_PIPE:
	case TMPL_RPAREN:
	case TMPL_COMMA:
	default:
		return tmpl_fail_parse(
			p, t->off, "unexpected \"" STR_FMT "\" in an operand", STR_ARG(t->text));
	}
	if (t->kind == TMPL_DOT && p->t->kind == TMPL_FIELD)
		return tmpl_fail_parse(p, p->t->off, "unexpected field after \".\"");
	if (!parse_fields(p, o))
		return false;
	o->len = p->t->off - o->off;
	return true;
}

/* --- commands --- */

static bool ends_command(const struct tmpl_parser *p, enum tmpl_tok end)
{
	return p->t->kind == end || p->t->kind == TMPL_PIPE;
}

static bool parse_command(struct tmpl_parser *p, enum tmpl_tok end, struct tmpl_command *c)
{
	struct tmpl_operand v[MAX_ARGS], *copy;
	size_t n = 0;

	for (;;) {
		tmpl_skip_space(p);
		if (ends_command(p, end))
			break;
		if (n == MAX_ARGS)
			return tmpl_fail_parse(p, p->t->off, "more than %u arguments", MAX_ARGS);
		if (!parse_operand(p, &v[n]))
			return false;
		n++;
		if (p->t->kind != TMPL_SPACE && !ends_command(p, end))
			return tmpl_fail_parse(p, p->t->off,
				"unexpected \"" STR_FMT "\" after an operand", STR_ARG(p->t->text));
	}
	if (n == 0)
		return tmpl_fail_parse(p, p->t->off, "a command is missing");
	copy = ARENA_ARRAY(p->a, n, struct tmpl_operand);
	if (copy == NULL)
		return tmpl_fail_parse(p, p->t->off, "the template needs too much memory");
	memcpy(copy, v, n * sizeof *v);
	*c = (struct tmpl_command){copy, n};
	return true;
}

/* `$x :=`, `$i, $e :=` (of range) or `$x =` at the head; leaves p->t alone when there is none. */
static bool parse_declaration(
	struct tmpl_parser *p, struct tmpl_pipe *pipe, const char *context, unsigned *declared)
{
	const struct tmpl_token *t = p->t, *var[2] = {NULL, NULL};
	unsigned n = 0;
	bool range = str_eq(str_c(context), STR("range"));

	while (t->kind == TMPL_VAR && n < 2) {
		var[n++] = t++;
		while (t->kind == TMPL_SPACE)
			t++;
		if (t->kind != TMPL_COMMA)
			break;
		if (!range || n == 2)
			return tmpl_fail_parse(p, t->off, "unexpected \",\" in %s", context);
		t++;
		while (t->kind == TMPL_SPACE)
			t++;
	}
	if (n == 0 || (t->kind != TMPL_DECLARE && t->kind != TMPL_ASSIGN)) {
		if (n == 2)
			return tmpl_fail_parse(p, t->off, "expected := after the variables");
		return true;
	}
	p->t = t + 1;
	pipe->n_slots = n;
	for (unsigned i = 0; i < n; i++) {
		if (t->kind == TMPL_ASSIGN && !find_var(p, var[i], &pipe->slots[i]))
			return false;
		if (t->kind == TMPL_DECLARE && !declare(p, var[i], &pipe->slots[i]))
			return false;
	}
	*declared = t->kind == TMPL_DECLARE ? n : 0;
	return true;
}

const struct tmpl_pipe *tmpl_parse_pipe(
	struct tmpl_parser *p, enum tmpl_tok end, const char *context)
{
	struct tmpl_pipe *pipe = ARENA_NEW(p->a, struct tmpl_pipe);
	struct tmpl_command v[MAX_CMDS] = {{NULL, 0}}, *copy;
	struct str names[2];
	unsigned declared = 0, base;

	if (pipe == NULL) {
		(void)tmpl_fail_parse(p, p->t->off, "the template needs too much memory");
		return NULL;
	}
	tmpl_skip_space(p);
	pipe->off = p->t->off;
	if (!parse_declaration(p, pipe, context, &declared))
		return NULL;
	/* The variable is not known to its own value: `$x := $x` means an outer one. */
	p->n_vars -= declared;
	base = p->n_vars;
	memcpy(names, &p->vars[p->n_vars], declared * sizeof *names);
	for (;;) {
		if (pipe->n == MAX_CMDS) {
			(void)tmpl_fail_parse(
				p, p->t->off, "more than %u commands in a pipeline", MAX_CMDS);
			return NULL;
		}
		if (!parse_command(p, end, &v[pipe->n]))
			return NULL;
		ASSERT(v[pipe->n].n > 0);
		if (pipe->n > 0 && (v[pipe->n].args[0].kind == TMPL_O_VALUE ||
					   v[pipe->n].args[0].kind == TMPL_O_NIL)) {
			(void)tmpl_fail_parse(p, v[pipe->n].args[0].off,
				"only functions may take a value from a pipeline");
			return NULL;
		}
		pipe->n++;
		if (p->t->kind != TMPL_PIPE)
			break;
		p->t++;
	}
	pipe->len = p->t->off - pipe->off;
	p->t++; /* the end */
	if (declared > 0) {
		memcpy(&p->vars[base], names, declared * sizeof *names);
		p->n_vars = base + declared;
	}
	copy = ARENA_ARRAY(p->a, pipe->n, struct tmpl_command);
	if (copy == NULL) {
		(void)tmpl_fail_parse(p, pipe->off, "the template needs too much memory");
		return NULL;
	}
	memcpy(copy, v, pipe->n * sizeof *v);
	pipe->commands = copy;
	return pipe;
}

/* NOLINTEND(misc-no-recursion) */
