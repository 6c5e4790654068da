#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `belfry test rules` gives the exit codes of promtool on the public cases.
exec "${PYTHON:-/usr/bin/python3}" "$(dirname "$0")/rule_verdicts.py" test
