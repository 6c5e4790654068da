/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tz - time zones read from the system's database (TZif, RFC 9636), without the process's TZ.
 *
 * The C library knows one zone at a time, in a global that other threads read. Here each zone is a
 * value: immutable after it was read, any thread. The rule behind the last transition (the file's
 * POSIX footer) is followed, so that daylight saving goes on for ever. Leap seconds are not
 * counted, as everywhere in Unix time.
 */
#ifndef BELFRY_BASE_TZ_H
#define BELFRY_BASE_TZ_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct tz;

/* Zone by its name ("Europe/Berlin"), in the arena. "", "UTC" need no database; "Local" is the
 * machine's (/etc/localtime). ERR_INPUT: no such zone; the name is checked to stay inside the
 * database. */
const struct tz *tz_load(struct arena *a, struct str name, struct err *e) MUST_CHECK;
/* The same from the bytes of a TZif file, which must live as long. */
const struct tz *tz_parse(struct arena *a, struct str file, struct err *e) MUST_CHECK;
/* Seconds east of UTC at that moment. tz NULL: UTC. */
int32_t tz_offset(const struct tz *tz, int64_t unix_ms);
/* What the zone's time is called then: "CEST", "-03", "UTC". */
struct str tz_name(const struct tz *tz, int64_t unix_ms);

#endif
