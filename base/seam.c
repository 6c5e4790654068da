/* SPDX-License-Identifier: Apache-2.0 */
/* seam - crash points and clock injection for tests; see seam.h. */
#include "base/seam.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/steps.h"
#include "base/str.h"

bool seam_enabled;
static struct str crash_point;
static _Atomic long long passes_left;

static void init_crash(const char *spec)
{
	struct str s = str_c(spec), count;
	size_t colon = str_find(s, ':');
	long long n = 1;

	crash_point = str_sub(s, 0, colon);
	count = str_sub(s, colon + 1, s.n);
	if (count.n > 0 && !str_to_i64(count, &n))
		n = 1;
	atomic_store(&passes_left, n);
}

static void init_clock(const char *spec)
{
	struct str s = str_c(spec), speed;
	size_t comma = str_find(s, ',');
	long long ms;
	double rate = 1;

	if (!str_to_i64(str_sub(s, 0, comma), &ms))
		return;
	speed = str_sub(s, comma + 1, s.n);
	if (str_eq(speed, STR("steps"))) {
		steps_use(ms);
		return;
	}
	if (speed.n > 0 && !str_to_f64(speed, &rate))
		rate = 1;
	clock_inject(ms, rate);
}

void seam_init(void)
{
	const char *on = getenv("BELFRY_TEST"), *crash, *when;

	if (on == NULL || !str_eq(str_c(on), STR("1")))
		return;
	seam_enabled = true;
	crash = getenv("BELFRY_CRASH_AT");
	if (crash != NULL)
		init_crash(crash);
	when = getenv("BELFRY_CLOCK");
	if (when != NULL)
		init_clock(when);
}

void seam_pass(const char *point)
{
	if (!str_eq(str_c(point), crash_point))
		return;
	if (atomic_fetch_sub(&passes_left, 1) == 1)
		(void)kill(getpid(), SIGKILL);
}
