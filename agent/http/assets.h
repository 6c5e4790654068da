/* SPDX-License-Identifier: Apache-2.0 */
/* assets - the web page's files, compiled in and looked up in a table: no file system behind URLs.
 */
#ifndef BELFRY_AGENT_HTTP_ASSETS_H
#define BELFRY_AGENT_HTTP_ASSETS_H

#include "agent/http/server.h"

/* Handler for "/" and what is below it: the file of that name, 404 when there is none. */
void assets_handle(struct http_req *r, void *arg);
/* The headers of every page of ours: no script but our own, no frames, no referrer elsewhere. */
void assets_page_headers(struct http_req *r);

#endif
