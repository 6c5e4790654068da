/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stub_server - a TCP server on loopback for tests: one thread, one connection at a time, each
 * handled by the test's own function, which may be as rude as it likes.
 */
#ifndef BELFRY_TESTS_LIB_STUB_SERVER_H
#define BELFRY_TESTS_LIB_STUB_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct stub_server;

/* handle() owns the conversation, not the descriptor; it is called on the server's thread. */
struct stub_server *stub_start(void (*handle)(struct stub_server *s, int fd, void *arg), void *arg);
void stub_stop(struct stub_server *s);
int stub_port(const struct stub_server *s);
unsigned stub_connections(struct stub_server *s);

/* For handlers. Bytes up to and with the blank line that ends a request head, NUL-terminated;
 * false when the peer left first. */
bool stub_read_head(int fd, char *buf, size_t size);
/* One line, without its end. */
bool stub_read_line(int fd, char *buf, size_t size);
void stub_write(int fd, const void *p, size_t n);
void stub_puts(int fd, const char *text);
/* Blocks until the peer leaves or stub_stop is called. */
void stub_hang(struct stub_server *s, int fd);

#endif
