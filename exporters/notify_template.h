/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_template - templates of notifications: Alertmanager's language, data, functions and
 * default definitions, over one set of definitions that is read with the configuration.
 *
 * A set belongs to the arena of its configuration and is immutable once loaded: any thread may run
 * it. A run is bounded in steps, memory, output and time; a run that fails never costs the alert:
 * notify_template_render says false and leaves a note, and the caller writes belfry's own text.
 */
#ifndef BELFRY_EXPORTERS_NOTIFY_TEMPLATE_H
#define BELFRY_EXPORTERS_NOTIFY_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "exporters/message.h"

struct notify_templates;

/* --- loading (agent/config) --- */

/* A set with belfry's definitions under Alertmanager's default names. NULL: no memory in a. */
struct notify_templates *notify_templates_new(struct arena *a);
/* One file of `templates:`, in order; definitions replace those of the same name before. On failure
 * e->off is the place in text. */
int notify_templates_add_file(
	struct notify_templates *t, struct str path, struct str text, struct err *e) MUST_CHECK;
/* A template-valued field of a receiver: parsed once and kept, so that runs find it by its text. On
 * failure e->off is the place in text. Call it after all files. */
int notify_templates_add_field(
	struct notify_templates *t, struct str text, struct err *e) MUST_CHECK;
/* Run a field (or, with a name, a definition) over a made-up message of one firing and one resolved
 * alert: finds what can only be known by running (".Lables", an undefined template, a bad regular
 * expression). A failure is a warning: other messages may do. e->off is the place in text, or
 * SIZE_MAX when the mistake lies in a definition; then e->msg names file, line and column. */
int notify_templates_try(
	const struct notify_templates *t, struct str text, bool html, struct err *e) MUST_CHECK;

/* --- running (renderers) --- */

/* A receiver's name as messages show it: upstream quotes it as regexp.QuoteMeta does, and templates
 * and webhooks rely on that. */
struct str notify_template_receiver(struct arena *a, struct str s);

/* The template to use for a field: its own text when one was given; else, when the user's files
 * redefine `name` (or what it calls), "{{ template NAME . }}"; else empty: use belfry's own
 * message. name is a default definition, "slack.default.title". */
struct str notify_template_field(
	const struct notify_templates *t, struct str text, const char *name);
/* The same, but never empty: for payloads that have no form of belfry's own (Opsgenie's
 * description). */
struct str notify_template_default(
	const struct notify_templates *t, struct str text, const char *name);

/* Expand text over m, appended to out (of which nothing is kept on failure). _html escapes by
 * context. t NULL: belfry's definitions alone. */
int notify_template_text(const struct notify_templates *t, struct str text, const struct message *m,
	struct buf *out, struct err *e) MUST_CHECK;
int notify_template_html(const struct notify_templates *t, struct str text, const struct message *m,
	struct buf *out, struct err *e) MUST_CHECK;
/* What renderers call: as above, and a failure is logged, counted
 * (belfry_notify_template_errors_total) and, when note is not NULL, told there in one line ("the
 * template of title failed: ..."), to be shown at the end of the message. `what` names the field.
 */
bool notify_template_render(const struct notify_templates *t, struct str text, const char *what,
	const struct message *m, bool html, struct buf *out, struct buf *note);

#endif
