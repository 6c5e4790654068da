/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_template - the files of `templates:` and the template-valued fields of receivers: read,
 * parsed and tried when the configuration is, with every mistake at its place.
 */
#include <glob.h>
#include <sys/stat.h>

#include "agent/config_load.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/notify_template.h"

/* Line and column (in bytes) of a byte of the file. */
static struct diag_pos place(const struct diag_file *f, size_t off)
{
	struct diag_pos at = {f, 1, 1, 1};

	for (size_t i = 0; i < off && i < f->text.n; i++) {
		at.line += f->text.p[i] == '\n';
		at.col = f->text.p[i] == '\n' ? 1 : at.col + 1;
	}
	return at;
}

static void one_file(struct loader *l, const char *path, struct diag_pos at)
{
	struct arena *a = diag_arena(l->diag);
	struct diag_file *f = a != NULL ? ARENA_NEW(a, struct diag_file) : NULL;
	struct err e = {0};
	struct stat st;

	if (f == NULL)
		return;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* a pipe would be waited for */
		diag_error(l->diag, at, "templates: %s is not a file", path);
		return;
	}
	f->path = arena_str(a, str_c(path));
	if (fd_read_file(path, LIMIT_TEMPLATE_BYTES, a, &f->text, &e) != 0) {
		diag_error(l->diag, at, "templates: %s", e.msg);
		return;
	}
	if (!str_is_utf8(f->text))
		diag_error(l->diag, at, "templates: %s is not UTF-8", path);
	else if (notify_templates_add_file(l->p->templates, f->path, f->text, &e) != 0)
		diag_error(l->diag, place(f, e.off), "template: %s", e.msg);
}

void config_load_templates(struct loader *l)
{
	const struct conf_root *r = &l->p->root;
	const struct yaml_node *node = yaml_get(r->node, STR("templates"));

	l->p->templates = notify_templates_new(l->arena);
	if (l->p->templates == NULL)
		return; /* the arena has failed, which is told */
	l->p->pub.notify.templates = l->p->templates;
	for (size_t i = 0; i < r->n_templates && !l->no_files; i++) {
		bool placed = node != NULL && node->kind == YAML_SEQ && node->n == r->n_templates;
		struct diag_pos at =
			placed ? node->items[i]->pos : config_pos(r->node, "templates");
		struct str path = config_pattern(l, r->templates[i]);
		glob_t g;

		if (path.p == NULL || memchr(path.p, '\0', path.n) != NULL)
			continue;
		if (path.n == 0 || glob(path.p, 0, NULL, &g) != 0) {
			diag_warn(l->diag, at, "templates: no file is named " STR_FMT,
				STR_ARG(r->templates[i]));
			continue;
		}
		for (size_t k = 0; k < g.gl_pathc; k++)
			one_file(l, g.gl_pathv[k], at);
		globfree(&g);
	}
}

void config_template(struct loader *l, const struct yaml_node *value, const char *what,
	struct str text, bool html)
{
	struct err e = {0};
	struct diag_pos at = {0};
	bool same = value != NULL && value->kind == YAML_SCALAR && str_eq(value->scalar, text);

	if (text.n == 0 || l->p->templates == NULL)
		return;
	if (notify_templates_add_field(l->p->templates, text, &e) != 0) {
		if (value != NULL)
			at = same ? yaml_scalar_pos(value, MIN_OF(e.off, text.n), 1) : value->pos;
		diag_error(l->diag, at, "%s: template: %s", what, e.msg);
		return;
	}
	if (notify_templates_try(l->p->templates, text, html, &e) == 0)
		return;
	if (value != NULL)
		at = same && e.off <= text.n ? yaml_scalar_pos(value, e.off, 1) : value->pos;
	diag_warn(l->diag, at, "%s: the template fails for an ordinary message: %s", what, e.msg);
}
