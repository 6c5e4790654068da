/* SPDX-License-Identifier: Apache-2.0 */
/* routes - the table of everything the HTTP server answers (agent/routes.c). */
#ifndef BELFRY_AGENT_ROUTES_H
#define BELFRY_AGENT_ROUTES_H

#include "agent/http/server.h"

/* Constant; handlers get a struct app as their argument. */
const struct http_route *routes(size_t *n);

#endif
