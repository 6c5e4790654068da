/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - structured lines to stderr (logfmt or JSON), rate-limited per call site.
 *
 * log_info("scrape", "target=" STR_FMT " ms=%d", ...): the component, then key=value pairs.
 * The text after formatting is escaped so that one call gives one line; values that may hold
 * blanks are written with log_q(): msg. At most LOG_BURST lines a second leave one call site;
 * the next line that does says how many were suppressed. Secrets never go into a log call:
 * URLs of receivers are redacted with log_url(). Any thread. A full pipe drops lines and counts
 * them, it never blocks the caller.
 */
#ifndef BELFRY_BASE_LOG_H
#define BELFRY_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_site {
	_Atomic int64_t window; /* second in which `count` counts */
	_Atomic uint32_t count;
	_Atomic uint32_t suppressed;
};

void log_init(enum log_level min, enum log_format format);
bool log_level_parse(struct str s, enum log_level *out);
/* For tests: lines go to fn instead of stderr; NULL restores. */
void log_capture(void (*fn)(const char *line, void *arg), void *arg);
uint64_t log_dropped_total(void);

void log_write(struct log_site *site, enum log_level level, const char *component, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

#define LOG_AT(level, component, ...)                                                              \
	do {                                                                                       \
		static struct log_site log_site_;                                                  \
		log_write(&log_site_, (level), (component), __VA_ARGS__);                          \
	} while (0)
#define log_debug(component, ...) LOG_AT(LOG_DEBUG, component, __VA_ARGS__)
#define log_info(component, ...)  LOG_AT(LOG_INFO, component, __VA_ARGS__)
#define log_warn(component, ...)  LOG_AT(LOG_WARN, component, __VA_ARGS__)
#define log_error(component, ...) LOG_AT(LOG_ERROR, component, __VA_ARGS__)

/* A value in quotes with everything dangerous escaped, clipped at 200 bytes: into the caller's
 * buffer, which is returned. log_info("x", "msg=%s", log_q(q, s)) with char q[LOG_Q_MAX]. */
#define LOG_Q_MAX 480u
const char *log_q(char out[LOG_Q_MAX], struct str s);
/* scheme://host/… with user, path, query cut away, for URLs that may be secret. */
const char *log_url(char out[LOG_Q_MAX], struct str url);

#endif
