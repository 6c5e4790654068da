# SPDX-License-Identifier: Apache-2.0
"""Writes plain Python data as YAML in block style, as a person would write it.

Only what configurations need: mappings, lists, strings, numbers, booleans. No reader:
tests must not depend on a second YAML parser agreeing with the daemon's.
"""

import json
import re

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:-]*[A-Za-z0-9_/]|[A-Za-z_/]")
_NOT_PLAIN = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def _scalar(value):
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN and ": " not in text:
        return text
    if re.fullmatch(r"[0-9]+(ms|s|m|h|d|w|y|[KMGT]i?B)", text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _lines(value, indent):
    pad = "  " * indent
    if isinstance(value, dict):
        for key, sub in value.items():
            if isinstance(sub, (dict, list)) and sub:
                yield f"{pad}{_scalar(key)}:"
                yield from _lines(sub, indent + 1)
            else:
                empty = "{}" if isinstance(sub, dict) else "[]" if isinstance(sub, list) else None
                yield f"{pad}{_scalar(key)}: {empty or _scalar(sub)}"
    else:
        for sub in value:
            if isinstance(sub, (dict, list)) and sub:
                inner = list(_lines(sub, indent + 1))
                yield pad + "- " + inner[0].lstrip()
                yield from inner[1:]
            else:
                yield f"{pad}- {_scalar(sub) if not isinstance(sub, (dict, list)) else '{}'}"


def to_yaml(value):
    """YAML text of a mapping."""
    return "\n".join(_lines(value, 0)) + "\n"
