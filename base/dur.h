/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dur - Prometheus durations ("1h30m", "15s", "0"), sizes ("10GB", "1KiB") and RFC 3339 times.
 */
#ifndef BELFRY_BASE_DUR_H
#define BELFRY_BASE_DUR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* y w d h m s ms in this order, each at most once, integers; "0" alone. Result in ms. */
int dur_parse(struct str s, int64_t *ms, struct err *e) MUST_CHECK;
/* Shortest exact form, as Prometheus's model.Duration prints: "1h30m", "15s", "0s". */
void dur_print(struct buf *b, int64_t ms);
/* "512", "10MB", "1.5GiB": powers of 1024 for KB MB GB TB PB EB as in Prometheus (KiB the same). */
int size_parse(struct str s, uint64_t *bytes, struct err *e) MUST_CHECK;
/* 2026-01-02T03:04:05[.123456789](Z|+hh:mm) to Unix ms; false when malformed. */
bool time_parse_rfc3339(struct str s, int64_t *ms);
/* UTC, with ms when not whole (Go's RFC3339Nano); time_print_ms always prints 3 decimals. */
void time_print_rfc3339(struct buf *b, int64_t ms);
void time_print_ms(struct buf *b, int64_t ms);

/* Proleptic Gregorian calendar in UTC for any int64 ms (Howard Hinnant, "days_from_civil"). */
struct civil {
	int64_t year;
	int month, day; /* 1..12, 1..31 */
	int hour, minute, second, ms;
	int weekday; /* 0 = Sunday */
	int yday;    /* 1..366 */
	int days_in_month;
};
void civil_from_ms(int64_t ms, struct civil *c);
int64_t civil_to_ms(int64_t year, int month, int day, int hour, int minute, int second);

#endif
