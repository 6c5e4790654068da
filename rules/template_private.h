/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_private - tokens, tree and execution state, shared by rules/template*.c only.
 */
#ifndef BELFRY_RULES_TEMPLATE_PRIVATE_H
#define BELFRY_RULES_TEMPLATE_PRIVATE_H

#include "rules/template.h"
#include "rules/template_html.h"
#include "rules/template_value.h"

/* --- tokens (template_lex.c) --- */

enum tmpl_tok {
	TMPL_EOF,
	TMPL_TEXT,
	TMPL_LEFT,  /* {{ */
	TMPL_RIGHT, /* }} */
	TMPL_SPACE, /* separates arguments: `x .y` is not `x.y` */
	TMPL_DOT,
	TMPL_FIELD,   /* .name; text is the name */
	TMPL_VAR,     /* $name; text with the $ */
	TMPL_IDENT,   /* a function, or a keyword */
	TMPL_NUMBER,  /* also 'c' */
	TMPL_STRING,  /* text is unquoted */
	TMPL_DECLARE, /* := */
	TMPL_ASSIGN,  /* = */
	TMPL_PIPE,
	TMPL_LPAREN,
	TMPL_RPAREN,
	TMPL_COMMA,
};

struct tmpl_token {
	enum tmpl_tok kind;
	size_t off;
	struct str text;
	struct tv number; /* TMPL_NUMBER */
};

/* All tokens, ended by TMPL_EOF; NULL with *e. */
const struct tmpl_token *tmpl_lex(struct arena *a, struct str whole, struct err *e);

/* --- tree (template_parse.c, template_pipe.c) --- */

struct tmpl_func;

enum tmpl_operand_kind {
	TMPL_O_DOT,
	TMPL_O_VALUE, /* a literal */
	TMPL_O_NIL,
	TMPL_O_VAR,
	TMPL_O_FUNC,
	TMPL_O_PIPE, /* in brackets */
};

struct tmpl_operand {
	enum tmpl_operand_kind kind;
	size_t off, len; /* in the text, for messages */
	struct tv value;
	unsigned slot;
	const struct tmpl_func *func;
	const struct tmpl_pipe *pipe;
	const struct str *fields; /* .a.b behind it */
	size_t n_fields;
};

struct tmpl_command {
	const struct tmpl_operand *args; /* the first is the function, field or value */
	size_t n;
};

struct tmpl_pipe {
	size_t off, len;
	unsigned slots[2]; /* of `$x :=`, `$i, $e :=`, `$x =` */
	unsigned n_slots;
	const struct tmpl_command *commands;
	size_t n;
};

enum tmpl_node_kind {
	TMPL_N_TEXT,
	TMPL_N_PIPE,
	TMPL_N_IF,
	TMPL_N_RANGE,
	TMPL_N_WITH,
	TMPL_N_CALL, /* {{template "name" pipe}} */
	TMPL_N_BREAK,
	TMPL_N_CONTINUE,
};

struct tmpl_node {
	enum tmpl_node_kind kind;
	size_t off;
	struct str text; /* of TEXT; name of CALL */
	const struct tmpl_pipe *pipe;
	struct tmpl_node *list, *other; /* body and else */
	struct tmpl_node *next;
};

/* Where a definition comes from, for messages. */
struct tmpl_source {
	struct str file; /* "" for a text of its own */
	struct str text;
	bool ours; /* belfry's own definitions */
};

struct tmpl_define {
	struct str name;
	const struct tmpl_source *source;
	struct tmpl_node *list;
	unsigned n_slots;
	bool empty; /* nothing but white space and definitions */
	struct tmpl_define *next;
};

struct template
{
	const struct tmpl_lang *lang;
	const struct tmpl_source *source;
	const struct tmpl_define *main;
	const struct tmpl_define *defines; /* all but main */
	const struct template_set *set;    /* more of them; NULL: none */
};

/* What the two kinds of templates differ in: rules' and notifications'. */
struct tmpl_lang {
	const struct tmpl_func *const *tables;
	size_t n_tables;
	const struct str *prelude; /* names of variables that are there without being declared */
	unsigned n_prelude;
};
extern const struct tmpl_lang tmpl_lang_rule, tmpl_lang_notify;

struct template_set {
	struct arena *a;
	struct tmpl_define *defines; /* the newest first */
};

/* --- parser state, shared by its two files --- */

#define TMPL_VARS 256u /* variables in scope at once */

struct tmpl_parser {
	struct arena *a;
	struct err *e;
	const struct tmpl_lang *lang;
	const struct tmpl_source *source;
	const struct tmpl_token *t; /* the next token */
	struct tmpl_define *defines;
	struct str vars[TMPL_VARS]; /* in scope: the index is the slot */
	unsigned n_vars, max_vars;
	unsigned depth, loops;
};

void tmpl_skip_space(struct tmpl_parser *p);
/* A pipeline up to `end` (TMPL_RIGHT or TMPL_RPAREN), which is consumed; NULL with *p->e. */
const struct tmpl_pipe *tmpl_parse_pipe(
	struct tmpl_parser *p, enum tmpl_tok end, const char *context);
bool tmpl_fail_parse(struct tmpl_parser *p, size_t off, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- execution (template_exec.c) --- */

/* What functions may ask for beyond their arguments. */
struct tmpl_env {
	uint64_t max_steps;         /* 0: LIMIT_TEMPLATE_STEPS */
	int64_t deadline_ns;        /* of clock_real_ns(); 0: none */
	struct tmpl_html *html;     /* NULL: plain text */
	struct labels route_labels; /* values are templates, unless they are rendered already */
	bool route_rendered;
	bool missing_fails; /* Go's option missingkey=error: a map without the key is an error */
	struct tv root;     /* the data, for what a route label's template sees */
	struct str external_url;
	int64_t now_ms;
	int (*query)(void *ctx, struct str expr, int64_t at_ms, struct arena *a,
		struct template_sample **samples, size_t *n, struct err *e);
	void *query_ctx;
	/* variables of the main template after `$` (the language's prelude) */
	struct tv prelude[4];
};

struct tmpl_exec {
	const struct template *t;
	const struct tmpl_define *def; /* being run */
	const struct tmpl_env *env;
	struct tmpl_html *html; /* where in the HTML the output stands; NULL: no escaping */
	struct arena *a;
	struct buf *out;
	struct err *e;
	struct tv *frame; /* variables of the template being run */
	struct tv dot;
	const struct tmpl_operand *at; /* what is evaluated, for messages */
	uint64_t steps;
	unsigned depth, route_depth;
};

#define TMPL_PRELUDE 4u /* of rules */

int tmpl_run(const struct template *t, const struct tmpl_env *env, struct tv data,
	struct arena *scratch, struct buf *out, struct err *e) MUST_CHECK;
/* The definition of a name in a list of them, or NULL. */
const struct tmpl_define *tmpl_find(const struct tmpl_define *d, struct str name);
/* Run a named template into x->out. */
int tmpl_call(struct tmpl_exec *x, struct str name, struct tv data) MUST_CHECK;
/* Sets *x->e with the place of x->at; the value is -1, which the analyzer sees here. */
#define tmpl_fail(x, ...) (tmpl_set_error((x), __VA_ARGS__), -1)
void tmpl_set_error(struct tmpl_exec *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* --- functions --- */

struct tmpl_func {
	const char *name;
	size_t min, max; /* arguments */
	/* n is within min and max. NULL: `and` and `or`, which template_exec.c does itself. */
	int (*fn)(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out);
};
#define TMPL_ANY ((size_t)-1)

const struct tmpl_func *tmpl_func_find(const struct tmpl_lang *lang, struct str name);
extern const struct tmpl_func tmpl_builtins[], tmpl_compares[], tmpl_rule_funcs[],
	tmpl_text_funcs[], tmpl_common_funcs[], tmpl_notify_funcs[], tmpl_notify_data_funcs[];
/* A string argument, or an error that names what it is. */
int tmpl_arg_str(struct tmpl_exec *x, const struct tv *v, struct str *out);
/* A number in any form: float, int or text. */
int tmpl_arg_number(struct tmpl_exec *x, const struct tv *v, double *out);
/* The content of b as a value in the arena; frees b. */
int tmpl_take(struct tmpl_exec *x, struct buf *b, struct tv *out);
/* A method of a time or duration: `t.Format "2006"`. */
int tmpl_method(struct tmpl_exec *x, const struct tv *receiver, struct str name,
	const struct tv *args, size_t n, struct tv *out);

/* A method or field of a named type (enum tv_named); *found tells whether it has it. */
int tmpl_named_method(struct tmpl_exec *x, const struct tv *receiver, struct str name,
	const struct tv *args, size_t n, struct tv *out, bool *found);
/* A route's label, expanded. */
int tmpl_route_label(struct tmpl_exec *x, struct str name, struct tv *out);
/* As encoding/json, with < > & escaped. */
int tmpl_json(struct tmpl_exec *x, struct buf *b, const struct tv *v);

/* Percent-encoding of a query's value, a blank as `+`. */
void tmpl_escape_query(struct buf *b, struct str s);

/* `title` of notifications: capital first letters, the rest small. */
int tmpl_f_words(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out);

int tmpl_f_humanize_duration(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out);

/* template_printf.c: fmt.Sprintf. */
void tmpl_printf(struct buf *b, struct str format, const struct tv *args, size_t n);

#endif
