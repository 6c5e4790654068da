/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - one error value, filled where the failure is detected, wrapped on the way up.
 *
 * Threads: any; a struct err belongs to one call chain. Memory: none, the message is
 * inline and is cut at ERR_MSG_MAX, so that reporting out-of-memory needs no memory.
 */
#ifndef BELFRY_BASE_ERR_H
#define BELFRY_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#define ERR_MSG_MAX 240u
#define MUST_CHECK  __attribute__((warn_unused_result))

/* What the caller may do about it, not where it came from. */
enum err_kind {
	ERR_NONE = 0,
	ERR_INPUT,   /* a peer or user sent something wrong: answer 4xx, count, go on */
	ERR_LIMIT,   /* a configured bound was hit: refuse, count, go on */
	ERR_AGAIN,   /* transient: retry with backoff */
	ERR_IO,      /* disk or network failed */
	ERR_CORRUPT, /* our own stored data is wrong: stop writing, shout */
	ERR_CANCEL,  /* the asker went away or the time limit passed */
};

struct err {
	enum err_kind kind;
	int code;   /* errno, sqlite result or CURLcode; 0 if none */
	size_t off; /* byte offset into the parsed input; parsers only */
	char msg[ERR_MSG_MAX];
};

/* Record a failure. Always returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_kind kind, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), nonnull(1, 4)));

/* The same with a byte offset into the input. Returns -1. */
int err_set_at(struct err *e, enum err_kind kind, size_t off, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), nonnull(1, 4)));

/* Prefix the message with the caller's context: "outer: inner". Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));

/* strerror() that is safe in threads; the text belongs to the C library and is constant. */
const char *err_strerror(int errnum);

#endif
