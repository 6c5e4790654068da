/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail_text - the encodings of Internet mail: header fields (RFC 5322, RFC 2047) and
 * quoted-printable (RFC 2045).
 *
 * Values come from labels and are hostile: no CR, LF or NUL ever reaches a header.
 */
#ifndef BELFRY_EXPORTERS_MAIL_TEXT_H
#define BELFRY_EXPORTERS_MAIL_TEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* "Name: value\r\n", folded, non-ASCII as encoded words; control bytes become blanks. */
void mail_header(struct buf *b, const char *name, struct str value);
/* A field name: printable ASCII without ':' (RFC 5322 3.6.8), and none of those we write ourselves.
 */
bool mail_header_name_ok(struct str name);
/* One address, "a@b" or "Name <a@b>": the bare address in *addr. False when it is not one (or holds
 * control bytes). */
bool mail_address(struct str s, struct str *addr);
/* Text with LF or CRLF line ends as quoted-printable with CRLF. */
void mail_quoted_printable(struct buf *b, struct str text);
/* "Sun, 22 Nov 2026 04:23:00 +0000". */
void mail_date(struct buf *b, long long unix_ms);
/* & < > " as entities; control bytes but newline become blanks. */
void html_escape(struct buf *b, struct str s);

#endif
