/* SPDX-License-Identifier: Apache-2.0 */
/* notify_template - running notification templates; see notify_template.h. */
#include "exporters/notify_template.h"

struct notify_templates {
	struct arena *a;
};

struct notify_templates *notify_templates_new(struct arena *a)
{
	struct notify_templates *t = ARENA_NEW(a, struct notify_templates);

	if (t != NULL)
		t->a = a;
	return t;
}

int notify_templates_add_file(
	struct notify_templates *t, struct str path, struct str text, struct err *e)
{
	(void)t;
	(void)path;
	(void)text;
	return err_set_at(e, ERR_INPUT, 0, "template files are not supported by this version");
}

int notify_templates_add_field(struct notify_templates *t, struct str text, struct err *e)
{
	(void)t;
	(void)text;
	(void)e;
	return 0;
}

int notify_templates_try(
	const struct notify_templates *t, struct str text, bool html, struct err *e)
{
	(void)t;
	(void)text;
	(void)html;
	(void)e;
	return 0;
}

struct str notify_template_field(
	const struct notify_templates *t, struct str text, const char *name)
{
	(void)t;
	(void)name;
	return text;
}

struct str notify_template_default(
	const struct notify_templates *t, struct str text, const char *name)
{
	(void)t;
	(void)name;
	return text;
}

int notify_template_text(const struct notify_templates *t, struct str text, const struct message *m,
	struct buf *out, struct err *e)
{
	(void)t;
	(void)m;
	(void)e;
	buf_str(out, text);
	return 0;
}

int notify_template_html(const struct notify_templates *t, struct str text, const struct message *m,
	struct buf *out, struct err *e)
{
	return notify_template_text(t, text, m, out, e);
}

bool notify_template_render(const struct notify_templates *t, struct str text, const char *what,
	const struct message *m, bool html, struct buf *out, struct buf *note)
{
	struct err e;

	(void)html;
	(void)what;
	(void)note;
	return notify_template_text(t, text, m, out, &e) == 0;
}
