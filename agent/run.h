/* SPDX-License-Identifier: Apache-2.0 */
/* run - `belfry run`: reads flags and configuration, starts everything, runs the loop, stops in
 * order. */
#ifndef BELFRY_AGENT_RUN_H
#define BELFRY_AGENT_RUN_H

/* Set by main before anything else; shown by buildinfo and the User-Agent. */
extern const char *run_version, *run_revision;

int run_main(int argc, char **argv);

#endif
