#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A few hundred random expressions asked of belfry and of a Prometheus 3.x, when there is one
# (BELFRY_PEERS=DIR with DIR/usr/bin/prometheus); promql_diff.py itself asks 20,000.
exec "${PYTHON:-/usr/bin/python3}" "$(dirname "$0")/promql_diff.py" --count 300
