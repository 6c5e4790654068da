/* SPDX-License-Identifier: Apache-2.0 */
/* notify_template_private - what the files exporters/notify_template*.c share. */
#ifndef BELFRY_EXPORTERS_NOTIFY_TEMPLATE_PRIVATE_H
#define BELFRY_EXPORTERS_NOTIFY_TEMPLATE_PRIVATE_H

#include "exporters/notify_template.h"
#include "rules/template.h"

/* Texts of belfry's definitions, ended by NULL. */
extern const char *const notify_template_defaults[];

/* The default definitions of fields, and the text that calls each; ended by NULL. */
struct notify_template_call {
	const char *name, *text;
};
extern const struct notify_template_call notify_template_calls[];

/* Alertmanager's data of a message; TV_NONE when the arena is full. Strings are borrowed from m. */
struct tv notify_template_data(const struct message *m, struct arena *a);

#endif
