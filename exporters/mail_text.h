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
/* A field name: printable ASCII without ':' (RFC 5322 3.6.8), and none of those that only we write.
 */
bool mail_header_name_ok(struct str name);
/* One address, "a@b" or "Name <a@b>": the bare address in *addr. False when it is not one (or holds
 * control bytes). */
bool mail_address(struct str s, struct str *addr);
/* The next address of a list ("Doe, John" <j@x>, ops@y): its name without quotes in name (at most
 * MAIL_NAME_MAX bytes, in space) and its bare address. False at the end; what is no address is
 * skipped and *bad set. */
#define MAIL_NAME_MAX 200u
struct mail_who {
	char space[MAIL_NAME_MAX];
	struct str name, addr;
};
bool mail_next_address(struct str *rest, struct mail_who *who, bool *bad);
/* The same as a header: names as encoded words or quoted strings, addresses as they are. */
void mail_header_addresses(struct buf *b, const char *name, struct str list);
/* Text with LF or CRLF line ends as quoted-printable with CRLF. The marks of graphs
 * (exporters/graph.h) stay raw bytes: text must hold no others of these. */
void mail_quoted_printable(struct buf *b, struct str text);
/* The same without a line end: a piece of a line that goes on. */
void mail_quoted_printable_inside(struct buf *b, struct str text);
/* Text for a plain part: control bytes but newline become blanks, overrides of direction and
 * carriage returns go, broken UTF-8 becomes "?"; at most max bytes, "…" when cut. */
void mail_plain(struct buf *b, struct str s, size_t max);
/* "Sun, 22 Nov 2026 04:23:00 +0000". */
void mail_date(struct buf *b, long long unix_ms);
/* & < > " ' as entities; else as mail_plain. _max: at most so many bytes of s, "…" when cut. */
void html_escape(struct buf *b, struct str s);
void html_escape_max(struct buf *b, struct str s, size_t max);

#endif
