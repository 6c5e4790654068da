# SPDX-License-Identifier: Apache-2.0
"""What Slack does with an incoming webhook's payload: refuses it, or shows it.

check() answers as Slack's documented limits do (the error's name, or None); render() gives the
text that a reader would see. Sources: Slack's Block Kit reference, mrkdwn reference.
"""

import re
import time

_TEXT = ("plain_text", "mrkdwn")
_ENTITY = re.compile(r"<([^<>]*)>")


def _text_ok(obj, limit, plain=False):
    return (isinstance(obj, dict) and obj.get("type") in (_TEXT[:1] if plain else _TEXT)
            and isinstance(obj.get("text"), str) and 0 < len(obj["text"]) <= limit)


def _section_ok(block):
    fields = block.get("fields")
    if "text" not in block and not fields:
        return False
    if "text" in block and not _text_ok(block["text"], 3000):
        return False
    return fields is None or (0 < len(fields) <= 10 and all(_text_ok(f, 2000) for f in fields))


def _button_ok(button):
    return (isinstance(button, dict) and button.get("type") == "button"
            and _text_ok(button.get("text"), 75, plain=True)
            and len(button.get("url", "")) <= 3000
            and re.match(r"https?://", button.get("url", "https://")) is not None)


def _context_ok(block):
    parts = block.get("elements") or []
    return 0 < len(parts) <= 10 and all(_text_ok(p, 2000) or p.get("type") == "image"
                                        for p in parts)


def _actions_ok(block):
    parts = block.get("elements") or []
    return 0 < len(parts) <= 25 and all(_button_ok(p) for p in parts)


_CHECKS = {
    "header": lambda b: _text_ok(b.get("text"), 150, plain=True),
    "section": _section_ok,
    "context": _context_ok,
    "actions": _actions_ok,
    "divider": lambda b: True,
    "image": lambda b: bool(b.get("alt_text")) and len(b.get("image_url", "")) <= 3000,
}


def _blocks_ok(blocks):
    if not isinstance(blocks, list) or len(blocks) > 50:
        return False
    return all(isinstance(b, dict) and b.get("type") in _CHECKS and _CHECKS[b["type"]](b)
               for b in blocks)


def _text_length(node):
    if isinstance(node, dict):
        own = len(node["text"]) if isinstance(node.get("text"), str) else 0
        return own + sum(map(_text_length, node.values()))
    return sum(map(_text_length, node)) if isinstance(node, list) else 0


def check(payload):
    """None when Slack would take the payload, else the error it answers with status 400."""
    if not isinstance(payload, dict):
        return "invalid_payload"
    attachments = payload.get("attachments") or []
    if not (payload.get("text") or payload.get("blocks") or attachments):
        return "no_text"
    if len(attachments) > 100:
        return "too_many_attachments"
    lists = [payload.get("blocks") or []] + [a.get("blocks") or [] for a in attachments]
    if not all(map(_blocks_ok, lists)):
        return "invalid_blocks"
    if sum(_text_length(blocks) for blocks in lists) > 13200:
        return "msg_blocks_too_long"
    return None


def _entity(match):
    inner = match.group(1)
    target, _, label = inner.partition("|")
    if target.startswith("!date^"):
        return label or time.strftime("%H:%M:%S", time.gmtime(int(target.split("^")[1])))
    if target.startswith(("!", "@", "#")):
        return "@" + (label or target[1:])
    return f"{label} ({target})" if label else target


def mrkdwn(text):
    """mrkdwn as plain text: entities resolved, &lt; &gt; &amp; decoded."""
    text = _ENTITY.sub(_entity, text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _text(obj):
    if not isinstance(obj, dict):
        return ""
    return mrkdwn(obj.get("text", "")) if obj.get("type") == "mrkdwn" else obj.get("text", "")


def _block(block):
    kind = block.get("type")
    if kind == "header":
        yield _text(block.get("text"))
    elif kind == "section":
        if block.get("text"):
            yield from _text(block["text"]).split("\n")
        for field in block.get("fields") or []:
            yield "  " + ": ".join(p.strip() for p in _text(field).split("\n") if p.strip())
    elif kind == "context":
        parts = [_text(e) for e in block.get("elements") or [] if _text(e)]
        yield from " · ".join(parts).split("\n")
    elif kind == "actions":
        yield "  ".join(f"[{_text(e.get('text'))}]({e.get('url', '')})"
                        for e in block.get("elements") or [])
    elif kind == "divider":
        yield "─" * 40


def _attachment(att):
    lines = []
    for key in ("pretext", "title", "text"):
        if att.get(key):
            lines += mrkdwn(att[key]).split("\n")
    for field in att.get("fields") or []:
        lines.append(f"  {mrkdwn(field.get('title', ''))}: {mrkdwn(field.get('value', ''))}")
    for block in att.get("blocks") or []:
        lines += _block(block)
    if att.get("footer"):
        lines.append(mrkdwn(att["footer"]))
    return ["┃ " + ln for ln in lines]


def render(payload):
    """The message as its reader sees it, a list of lines."""
    lines = []
    if payload.get("blocks"):
        for block in payload["blocks"]:
            lines += _block(block)
    elif payload.get("text"):
        lines += mrkdwn(payload["text"]).split("\n")
    for att in payload.get("attachments") or []:
        lines += _attachment(att)
    return lines


def color(payload):
    """The first attachment's colour, or an empty string."""
    for att in payload.get("attachments") or []:
        if att.get("color"):
            return att["color"]
    return ""
