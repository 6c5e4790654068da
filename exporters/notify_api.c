/* SPDX-License-Identifier: Apache-2.0 */
/* notify_api - the door to the dispatcher; see notify_api.h. Bodies follow. */
#include "exporters/notify_api.h"

static int not_yet(struct err *e)
{
	return err_set(e, ERR_AGAIN, 0, "not built yet");
}

int notify_silence_put(struct notify *n, const struct silence_view *s, char id[37], struct err *e)
{
	(void)n;
	(void)s;
	id[0] = '\0';
	return not_yet(e);
}

int notify_silence_expire(struct notify *n, struct str id, struct err *e)
{
	(void)n;
	(void)id;
	return not_yet(e);
}

int notify_silence_get(
	struct notify *n, struct str id, struct arena *a, struct silence_view *out, struct err *e)
{
	(void)n;
	(void)id;
	(void)a;
	(void)out;
	return not_yet(e);
}

int notify_silences(
	struct notify *n, struct arena *a, struct silence_view **out, size_t *count, struct err *e)
{
	(void)n;
	(void)a;
	*out = NULL;
	*count = 0;
	return not_yet(e);
}

int notify_alerts(struct notify *n, const struct alert_query *q, struct arena *a,
	struct alert_view **out, size_t *count, struct err *e)
{
	(void)n;
	(void)q;
	(void)a;
	*out = NULL;
	*count = 0;
	return not_yet(e);
}

int notify_groups(struct notify *n, const struct alert_query *q, struct arena *a,
	struct group_view **out, size_t *count, struct err *e)
{
	(void)n;
	(void)q;
	(void)a;
	*out = NULL;
	*count = 0;
	return not_yet(e);
}

int notify_post_alerts(
	struct notify *n, const struct external_alert *v, size_t count, struct err *e)
{
	(void)n;
	(void)v;
	(void)count;
	return not_yet(e);
}

int notify_receivers(
	struct notify *n, struct arena *a, struct str **names, size_t *count, struct err *e)
{
	(void)n;
	(void)a;
	*names = NULL;
	*count = 0;
	return not_yet(e);
}
