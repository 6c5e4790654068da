/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any page in either format, without hints and then with the first pass's series as hints: both
 * passes must tell the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/scrape/exposition.h"
#include "base/assert.h"
#include "base/num.h"

#define SERIES_MAX 1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str series[SERIES_MAX];
static uint64_t values[SERIES_MAX];

static size_t pass(enum expo_format f, struct str page, bool hints, enum expo_entry *last)
{
	static struct expo x;
	enum expo_entry e;
	size_t n = 0;

	expo_init(&x, f, page);
	for (;;) {
		x.hint = hints && n < SERIES_MAX ? series[n] : STR_NULL;
		e = expo_next(&x);
		if (e == EXPO_END || e == EXPO_ERROR)
			break;
		if (e != EXPO_SAMPLE)
			continue;
		if (n < SERIES_MAX) {
			if (hints) {
				ASSERT(x.hinted);
				ASSERT(str_eq(x.series, series[n]));
				ASSERT(values[n] == f64_bits(x.value));
			}
			series[n] = x.series;
			values[n] = f64_bits(x.value);
		}
		for (size_t i = 0; i < x.n_labels; i++)
			(void)expo_normal_value(&x, x.labels[i].name, x.labels[i].value);
		n++;
	}
	*last = e;
	expo_fini(&x);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum expo_entry first, second;
	struct str page;
	enum expo_format f;

	if (size == 0)
		return 0;
	f = data[0] == 'o' ? EXPO_OPENMETRICS : EXPO_TEXT;
	page = str_n((const char *)data + 1, size - 1);
	memset(series, 0, sizeof series);
	ASSERT(pass(f, page, false, &first) == pass(f, page, true, &second));
	ASSERT(first == second);
	return 0;
}
