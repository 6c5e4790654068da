/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_silence - silences made, edited and ended by any bytes, over a few alerts: what the index
 * says is what trying each matcher says.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rd.h"
#include "exporters/silence.h"

#define ALERTS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str text(struct rd *r)
{
	uint64_t n = rd_u8(r);

	return rd_bytes(r, n < rd_left(r) ? n : rd_left(r));
}

static void put(struct silence_set *s, struct rd *r, int64_t now, char *id)
{
	struct silence_matcher m[4];
	struct label note = {STR("belfry_recurring"), STR_NULL};
	struct silence_view v = {.matchers = m};
	uint8_t flags = rd_u8(r);
	struct err e;

	v.n_matchers = flags & 3;
	if (flags & 4)
		v.id = str_c(id);
	for (size_t i = 0; i < v.n_matchers; i++) {
		uint8_t kind = rd_u8(r);

		m[i] = (struct silence_matcher){text(r), text(r), (kind & 1) != 0, (kind & 2) != 0};
		if (kind & 4)
			m[i].name = STR("a");
	}
	v.starts_at_ms = now + (int8_t)rd_u8(r) * 1000;
	v.ends_at_ms = now + (int8_t)rd_u8(r) * 1000;
	if (flags & 8) {
		note.value = text(r);
		v.annotations = (struct labels){&note, 1};
	}
	if (silence_put(s, &v, now, id, &e) != 0 && e.msg[0] == '\0')
		abort();
}

/* The slow way. */
static size_t count(const struct silence_set *s, const struct live_alert *a)
{
	struct silence *x;
	size_t pos = 0, n = 0;

	while ((x = map_each(&s->by_id, &pos)) != NULL)
		n += x->working && matchers_match(x->matchers, x->n, a->al.labels);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const values[ALERTS] = {"x", "y", "xy", ""};
	struct rd r = rd_of(str_n((const char *)data, size));
	struct label labels[ALERTS];
	struct live_alert alerts[ALERTS];
	struct silence_set s;
	int64_t now = 1767225600000;
	char id[37] = "";
	struct err e;

	hash_init();
	silence_set_init(&s);
	memset(alerts, 0, sizeof alerts);
	for (size_t i = 0; i < ALERTS; i++) {
		labels[i] = (struct label){STR("a"), str_c(values[i])};
		alerts[i].al.labels = (struct labels){&labels[i], values[i][0] != '\0'};
	}
	for (int step = 0; rd_more(&r) && step < 64; step++) {
		uint8_t what = rd_u8(&r);

		now += (what >> 4) * 7777;
		if ((what & 3) == 0 && silence_end(&s, str_c(id), now, &e) != 0 && e.code != 404)
			abort();
		else if ((what & 3) != 0)
			put(&s, &r, now, id);
		(void)silence_refresh(&s, now);
		for (size_t i = 0; i < ALERTS; i++) {
			bool touched = silence_touched(&s, &alerts[i]);

			if (silence_of(&s, &alerts[i]) && !touched)
				abort();
			if (alerts[i].n_silences != count(&s, &alerts[i]) &&
				count(&s, &alerts[i]) < 64)
				abort();
		}
		if (what & 4)
			silence_committed(&s);
	}
	for (size_t i = 0; i < ALERTS; i++)
		silence_release(&alerts[i]);
	silence_set_fini(&s);
	return 0;
}
