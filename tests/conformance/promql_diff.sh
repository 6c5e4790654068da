#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A few hundred random expressions asked of belfry and of a Prometheus 3.x, when there is one
# (BELFRY_PEERS=DIR with DIR/usr/bin/prometheus); promql_diff.py itself asks 20,000. Then how both
# read and lay out expressions (promql_forms.py), and the parameters of the query API (api_diff.py).
here=$(dirname "$0")
python=${PYTHON:-/usr/bin/python3}
"$python" "$here/promql_diff.py" --count 300 || exit 1
"$python" "$here/promql_forms.py" --count 600 || exit 1
exec "$python" "$here/api_diff.py"
