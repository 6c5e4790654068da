/* SPDX-License-Identifier: Apache-2.0 */
/* notify_view - copies of silences, alerts and groups for other threads; state writer. */
#ifndef BELFRY_EXPORTERS_NOTIFY_VIEW_H
#define BELFRY_EXPORTERS_NOTIFY_VIEW_H

#include "exporters/notify_internal.h"

/* All: into the arena, whose failure the caller checks. */
void view_silence(
	struct arena *a, const struct silence *x, int64_t now_ms, struct silence_view *out);
int view_silences(struct notify *n, struct arena *a, struct silence_view **out, size_t *count,
	struct err *e) MUST_CHECK;
int view_alerts(struct notify *n, const struct alert_query *q, struct arena *a,
	struct alert_view **out, size_t *count, struct err *e) MUST_CHECK;
int view_groups(struct notify *n, const struct alert_query *q, struct arena *a,
	struct group_view **out, size_t *count, struct err *e) MUST_CHECK;

#endif
