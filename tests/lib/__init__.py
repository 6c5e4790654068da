# SPDX-License-Identifier: Apache-2.0
"""Helpers shared by the tests that drive the real daemon over loopback.

A test puts tests/ on its path and imports from here:

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from lib.belfry import Belfry
    from lib.inbox import Inbox
"""
