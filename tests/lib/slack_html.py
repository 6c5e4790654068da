# SPDX-License-Identifier: Apache-2.0
"""A Slack message as a page, close enough to judge how it reads: python3 -m lib.slack_html < JSON.

Not Slack's own look to the pixel: its width, its order, its folding of attachments over 700
characters, the colour bar, buttons and mentions. Text, blocks and Alertmanager's attachments.
"""

import html
import json
import re
import sys
import time

STYLE = """
body{margin:16px;font:15px/1.46 Lato,Helvetica,Arial,sans-serif;background:#fff;color:#1d1c1d;
max-width:680px}.who{font-weight:900}.app{font-size:10px;background:#e8e8e8;padding:1px 4px;
border-radius:2px;color:#616061;margin:0 6px}.time{color:#616061;font-size:12px}
.att{display:flex;margin-top:4px}.bar{width:4px;border-radius:8px;flex:none;margin-right:12px}
.blk{margin:4px 0;overflow-wrap:anywhere}.ctx{font-size:12.5px;color:#616061}
.fields{display:grid;grid-template-columns:1fr 1fr;gap:8px}
.btn{display:inline-block;border:1px solid #bbb;border-radius:4px;padding:4px 12px;margin:2px 8px 2px 0;
font-weight:700;font-size:13px}.primary{background:#007a5a;color:#fff;border-color:#007a5a}
.at{background:#faecc0;color:#1264a3}a{color:#1264a3;text-decoration:none}.title{font-weight:700}
@media(prefers-color-scheme:dark){body{background:#1a1d21;color:#d1d2d3}.ctx,.time{color:#ababad}
.at{background:#3d3320;color:#e8b95a}a{color:#1d9bd1}.btn{border-color:#565856}}
"""


def _target(match):
    inner = match.group(1)
    target, _, label = inner.partition("|")
    if target.startswith("!date^"):
        when = time.gmtime(int(target.split("^")[1]))
        day = "" if "{date" not in target else "Today at "
        return day + time.strftime("%H:%M", when)
    if target.startswith(("!", "@")):
        return f'<span class="at">@{(label or target[1:]).split("^")[-1]}</span>'
    return f'<a href="{html.escape(target)}">{label or target}</a>'


def mrkdwn(text):
    # the payload has & < > as entities already; what is left in brackets is Slack's own
    text = re.sub(r"<([^<>]*)>", _target, text.replace('"', "&quot;"))
    text = re.sub(r"(?<!\w)\*([^*\n]+)\*(?!\w)", r"<b>\1</b>", text)
    text = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
    return text.replace("\n", "<br>")


def _text(obj):
    return mrkdwn(obj["text"]) if obj["type"] == "mrkdwn" else html.escape(obj["text"])


def _block(block):
    kind = block["type"]
    if kind == "section":
        fields = "".join(f"<div>{_text(f)}</div>" for f in block.get("fields", []))
        return (_text(block["text"]) if "text" in block else "") + (
            f'<div class="fields">{fields}</div>' if fields else "")
    if kind == "context":
        return '<span class="ctx">' + " ".join(_text(e) for e in block["elements"]) + "</span>"
    if kind == "actions":
        return "".join(f'<span class="btn {e.get("style", "")}">{_text(e["text"])}</span>'
                       for e in block["elements"])
    return html.escape(json.dumps(block))


def _attachment(att):
    parts = []
    if att.get("title"):
        parts.append(f'<span class="title">{mrkdwn(att["title"])}</span>')
    parts += [mrkdwn(att[k]) for k in ("text",) if att.get(k)]
    parts += [f"<b>{mrkdwn(f['title'])}</b><br>{mrkdwn(f['value'])}" for f in att.get("fields", [])]
    parts += [_block(b) for b in att.get("blocks", [])]
    parts += [f'<span class="btn">{html.escape(a["text"])}</span>' for a in att.get("actions", [])]
    if att.get("footer"):
        parts.append(f'<span class="ctx">{mrkdwn(att["footer"])}</span>')
    color = {"good": "#2eb886", "warning": "#daa038", "danger": "#a30200"}.get(
        att.get("color"), att.get("color", "#ddd"))
    body = "".join(f'<div class="blk">{p}</div>' for p in parts)
    pre = f'<div class="blk">{mrkdwn(att["pretext"])}</div>' if att.get("pretext") else ""
    return (f'{pre}<div class="att"><div class="bar" style="background:{color}"></div>'
            f"<div>{body}</div></div>")


def message(payload):
    """One message as HTML."""
    parts = [f'<div class="blk">{mrkdwn(payload["text"])}</div>' if payload.get("text") else ""]
    parts += [_attachment(a) for a in payload.get("attachments", [])]
    who = html.escape(payload.get("username", "belfry"))
    return (f'<p style="margin:14px 0 0"><span class="who">{who}</span><span class="app">APP</span>'
            f'<span class="time">4:23</span></p>' + "".join(parts))


def page(payloads):
    """Several messages as a page."""
    body = "".join(map(message, payloads))
    return (f'<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width='
            f'device-width"><style>{STYLE}</style>{body}')


if __name__ == "__main__":
    print(page([json.loads(line) for line in sys.stdin if line.strip()]))
