#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `belfry check config` gives the verdicts of amtool on the public Alertmanager configurations.
exec "${PYTHON:-/usr/bin/python3}" "$(dirname "$0")/config_verdicts.py"
