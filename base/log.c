/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - formats one line into a stack buffer and hands it to stderr with a single write(2).
 * The mutex guards the capture hook of tests and keeps lines whole; see log.h.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/jsonw.h"

#define LOG_BURST    10u /* lines a second and call site */
#define LOG_LINE_MAX 4096u

static enum log_level min_level = LOG_INFO;
static enum log_format format = LOG_LOGFMT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*capture)(const char *line, void *arg);
static void *capture_arg;
static _Atomic uint64_t dropped;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(enum log_level min, enum log_format f)
{
	min_level = min;
	format = f;
}

bool log_level_parse(struct str s, enum log_level *out)
{
	for (unsigned i = 0; i < 4; i++) {
		if (str_eq(s, str_c(level_names[i]))) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_capture(void (*fn)(const char *line, void *arg), void *arg)
{
	(void)pthread_mutex_lock(&lock);
	capture = fn;
	capture_arg = arg;
	(void)pthread_mutex_unlock(&lock);
}

uint64_t log_dropped_total(void)
{
	return atomic_load(&dropped);
}

/* True when this call site may write now; *missed gets how many lines it swallowed before. */
static bool take_turn(struct log_site *site, uint32_t *missed)
{
	int64_t second = clock_real_ns() / 1000000000;

	*missed = 0;
	if (atomic_load(&site->window) != second) {
		atomic_store(&site->window, second);
		atomic_store(&site->count, 0);
	}
	if (atomic_fetch_add(&site->count, 1) >= LOG_BURST) {
		atomic_fetch_add(&site->suppressed, 1);
		return false;
	}
	*missed = atomic_exchange(&site->suppressed, 0);
	return true;
}

static void emit(const char *line, size_t n)
{
	(void)pthread_mutex_lock(&lock);
	if (capture != NULL)
		capture(line, capture_arg);
	else if (write(STDERR_FILENO, line, n) != (ssize_t)n)
		atomic_fetch_add(&dropped, 1);
	(void)pthread_mutex_unlock(&lock);
}

/* One call, one line: control bytes of the text become blanks (values are quoted by log_q). */
static void flatten(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	}
}

void log_write(
	struct log_site *site, enum log_level level, const char *component, const char *fmt, ...)
{
	char text[LOG_LINE_MAX / 2];
	struct buf line;
	uint32_t missed;
	va_list ap;

	if (level < min_level || !take_turn(site, &missed))
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	flatten(text);
	buf_init(&line, (size_t)4 * LOG_LINE_MAX);
	if (format == LOG_JSON) {
		struct jsonw j;

		jsonw_init(&j, &line);
		jsonw_object(&j);
		jsonw_key(&j, "ts");
		jsonw_rfc3339(&j, clock_wall_ms());
		jsonw_kv_c(&j, "level", level_names[level]);
		jsonw_kv_c(&j, "component", component);
		jsonw_kv_c(&j, "msg", text);
		if (missed > 0)
			jsonw_kv_i64(&j, "suppressed", missed);
		jsonw_object_end(&j);
	} else {
		buf_c(&line, "ts=");
		time_print_ms(&line, clock_wall_ms());
		buf_printf(&line, " level=%s component=%s %s", level_names[level], component, text);
		if (missed > 0)
			buf_printf(&line, " suppressed=%u", missed);
	}
	buf_ch(&line, '\n');
	if (!line.failed)
		emit(line.p, line.n);
	buf_fini(&line);
}

const char *log_q(char out[LOG_Q_MAX], struct str s)
{
	size_t o = 0, n = s.n < 200 ? s.n : 200;

	out[o++] = '"';
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\') {
			out[o++] = '\\';
			out[o++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			out[o++] = ' ';
		} else {
			out[o++] = (char)c;
		}
	}
	out[o++] = '"';
	out[o] = '\0';
	return out;
}

const char *log_url(char out[LOG_Q_MAX], struct str url)
{
	struct str rest = url, scheme = STR("?");
	const char *sep = url.n > 3 ? memmem(url.p, url.n, "://", 3) : NULL;
	size_t end = 0, at;

	if (sep != NULL) {
		scheme = str_n(url.p, (size_t)(sep - url.p));
		rest = str_n(sep + 3, url.n - scheme.n - 3);
	}
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	rest = str_sub(rest, 0, end);
	for (at = rest.n; at > 0 && rest.p[at - 1] != '@';)
		at--;
	rest = str_sub(rest, at, rest.n);
	if (snprintf(out, LOG_Q_MAX, STR_FMT "://" STR_FMT "/...", STR_ARG(str_sub(scheme, 0, 10)),
		    STR_ARG(rest)) < 0)
		out[0] = '\0';
	return out;
}
