/* SPDX-License-Identifier: Apache-2.0 */
/* packs - belfry packs list and belfry packs show; exit codes 0, 1 (wrong setting), 2 usage. */
#ifndef BELFRY_AGENT_PACKS_H
#define BELFRY_AGENT_PACKS_H

int packs_list_main(int argc, char **argv);
int packs_show_main(int argc, char **argv);

#endif
