/* SPDX-License-Identifier: Apache-2.0 */
/* version - the release this binary is, as in the file VERSION ("0.1.0"). */
#ifndef BELFRY_BASE_VERSION_H
#define BELFRY_BASE_VERSION_H

const char *version_string(void);

#endif
