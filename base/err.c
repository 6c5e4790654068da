/* SPDX-License-Identifier: Apache-2.0 */
/* err - fills and wraps error values; see err.h. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_kind kind, int code, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->code = code;
	e->off = 0;
	va_start(ap, fmt);
	if (vsnprintf(e->msg, sizeof e->msg, fmt, ap) < 0)
		e->msg[0] = '\0';
	va_end(ap);
	return -1;
}

int err_set_at(struct err *e, enum err_kind kind, size_t off, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->code = 0;
	e->off = off;
	va_start(ap, fmt);
	if (vsnprintf(e->msg, sizeof e->msg, fmt, ap) < 0)
		e->msg[0] = '\0';
	va_end(ap);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[ERR_MSG_MAX];
	va_list ap;
	int n;

	memcpy(inner, e->msg, sizeof inner);
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof e->msg)
		return -1; /* the context alone filled the buffer */
	if (snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", inner) < 0)
		e->msg[n] = '\0';
	return -1;
}

const char *err_strerror(int errnum)
{
	const char *s = strerrordesc_np(errnum);

	return s != NULL ? s : "unknown error";
}
