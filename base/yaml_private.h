/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_private - what the parser knows about a node beyond yaml.h; for base/yaml*.c only.
 */
#ifndef BELFRY_BASE_YAML_PRIVATE_H
#define BELFRY_BASE_YAML_PRIVATE_H

#include "base/yaml.h"

struct yaml_private {
	struct yaml_node node; /* first: a node is cast to this */
	size_t from, to;       /* bytes of the file it was written with */
	size_t size;           /* nodes below and itself, aliases counted as if expanded */
	unsigned height;       /* 1: a scalar or an empty collection */
	bool double_quoted;
	bool open; /* a collection that is still being read: an alias to it is a cycle */
};

static inline const struct yaml_private *yaml_private(const struct yaml_node *n)
{
	return (const struct yaml_private *)(const void *)n;
}

#endif
