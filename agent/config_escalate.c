/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_escalate - what a receiver says about those who are told when it does not help: `fallback`
 * (it refuses a message) and `escalate` (nobody takes delivery, or nobody acknowledges).
 */
#include "agent/config_load.h"
#include "agent/config_receiver.h"
#include "base/limits.h"
#include "base/num.h"

#define YEAR INT64_C(31536000000)

static const struct config_key escalate_keys[] = {
	CK(CT_STR, struct conf_escalate, pub.to, "to", NULL, CF_REQUIRED,
		"Receiver that is told then, and of the end as well."),
	CK_RANGE(CT_DUR, struct conf_escalate, pub.not_delivered_ms, "not_delivered", "0s", 0, 0,
		YEAR,
		"When no message of the incident was accepted so long after the first. 0: not "
		"asked."),
	CK_RANGE(CT_DUR, struct conf_escalate, pub.not_acknowledged_ms, "not_acknowledged", "0s", 0,
		0, YEAR,
		"When nobody acknowledged the incident so long after the first message. 0: not "
		"asked."),
};
const struct config_section config_escalate = CONFIG_SECTION("receivers[].escalate[]",
	escalate_keys, struct conf_escalate,
	"Who is told next. Times count from the incident's first message to this receiver; an "
	"incident that is acknowledged, silenced or over goes no further.");

/* A receiver that is named must be there, and not be the one that names it. */
static void check_name(struct loader *l, struct str own, struct str name, struct diag_pos at)
{
	const struct conf_root *r = &l->p->root;
	struct str *names, near;

	if (name.n == 0)
		return;
	if (str_eq(own, name)) {
		diag_error(l->diag, at, "receiver \"" STR_FMT "\" names itself", STR_ARG(name));
		return;
	}
	names = ARENA_ARRAY(l->arena, r->n_receivers, struct str);
	for (size_t i = 0; names != NULL && i < r->n_receivers; i++) {
		names[i] = r->receivers[i].name;
		if (str_eq(names[i], name))
			return;
	}
	if (names == NULL)
		return;
	near = diag_nearest(name, names, r->n_receivers);
	if (near.n > 0)
		diag_error(l->diag, at,
			"unknown receiver \"" STR_FMT "\", did you mean \"" STR_FMT "\"?",
			STR_ARG(name), STR_ARG(near));
	else
		diag_error(l->diag, at, "unknown receiver \"" STR_FMT "\"", STR_ARG(name));
}

static void check_step(
	struct loader *l, const struct conf_receiver *r, const struct conf_escalate *s)
{
	check_name(l, r->name, s->pub.to, config_pos(s->node, "to"));
	if (s->pub.not_delivered_ms == 0 && s->pub.not_acknowledged_ms == 0)
		diag_error(l->diag, s->node->pos,
			"a step of escalate needs not_delivered or not_acknowledged");
}

void config_finish_escalate(
	struct loader *l, const struct conf_receiver *r, struct receiver_config *out)
{
	struct escalation_step *v = ARENA_ARRAY(l->arena, r->n_escalate, struct escalation_step);

	check_name(l, r->name, r->fallback, config_pos(r->node, "fallback"));
	if (r->n_escalate > LIMIT_ESCALATE)
		diag_error(l->diag, config_pos(r->node, "escalate"), "more than %u steps",
			LIMIT_ESCALATE);
	for (size_t i = 0; v != NULL && i < r->n_escalate; i++) {
		check_step(l, r, &r->escalate[i]);
		v[i] = r->escalate[i].pub;
	}
	out->fallback = r->fallback;
	out->escalate = v;
	out->n_escalate = v != NULL ? MIN_OF(r->n_escalate, (size_t)LIMIT_ESCALATE) : 0;
}
