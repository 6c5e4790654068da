/* SPDX-License-Identifier: Apache-2.0 */
/* notify_systemd - the service manager's readiness protocol (sd_notify(3)), without its library. */
#ifndef BELFRY_AGENT_NOTIFY_SYSTEMD_H
#define BELFRY_AGENT_NOTIFY_SYSTEMD_H

#include <stdint.h>

/* Sends "READY=1", "STATUS=...", "WATCHDOG=1" and the like to $NOTIFY_SOCKET; nothing without one.
 */
void systemd_notify(const char *text);
/* Half of WATCHDOG_USEC in ms, 0 when no watchdog is wanted. */
int64_t systemd_watchdog_ms(void);

#endif
