/* SPDX-License-Identifier: Apache-2.0 */
/* http_ask - a blocking TCP client that says raw bytes and hears all of the answer. */
#ifndef BELFRY_TESTS_LIB_HTTP_ASK_H
#define BELFRY_TESTS_LIB_HTTP_ASK_H

#include <stddef.h>

/* Connected to 127.0.0.1:port; aborts when nobody listens. */
int ask_dial(int port);
/* Sends all, or until the other side has enough of it. */
void ask_say(int fd, const char *p, size_t n);
/* Until the server closes: malloc'ed, NUL behind; closes fd. Aborts after 20 s of silence. */
char *ask_hear(int fd, size_t *len);

#endif
