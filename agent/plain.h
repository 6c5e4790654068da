/* SPDX-License-Identifier: Apache-2.0 */
/* plain - the alerts as a page that needs no script: for text browsers, and when script is off. */
#ifndef BELFRY_AGENT_PLAIN_H
#define BELFRY_AGENT_PLAIN_H

#include "agent/http/server.h"

/* Handler of /plain; arg is the struct app; on a query worker. */
void plain_alerts(struct http_req *r, void *arg);

#endif
