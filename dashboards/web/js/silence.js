// SPDX-License-Identifier: Apache-2.0
// Silences: the list with what they silence, and the form that makes one from an alert, with a count
// of what it would silence before anybody presses the button.

import { byId, dateClock, el, rebuild, setText, span, table } from "./dom.js";
import { change } from "./api.js";

const PICKS = [["30m", 1800], ["1h", 3600], ["4h", 14400], ["1d", 86400], ["1w", 604800]];
const OPS = ["=", "!=", "=~", "!~"];
const AUTHOR_KEY = "belfry-author";

let alerts = []; // as the server last told them
let now = () => Date.now();
let changed = () => {}; // asks the server anew
const form = { dialog: null, rows: [], seconds: 3600 };

/** What the form's count is made from, and what to do when something changed. */
export function silenceContext(list, clockFn, onChange) {
	alerts = list;
	now = clockFn;
	changed = onChange;
	if (form.dialog?.open) {
		preview();
	}
}

const opOf = (m) => (m.isRegex ? (m.isEqual === false ? "!~" : "=~") : m.isEqual === false ? "!=" : "=");

export const matcherText = (m) => `${m.name}${opOf(m)}${JSON.stringify(m.value)}`;

/** null when the expression can't be judged here (RE2 and the browser differ). */
export function matches(matchers, labels) {
	try {
		return matchers.every((m) => {
			const value = labels[m.name] ?? "";
			const same = m.isRegex ? new RegExp(`^(?:${m.value})$`, "su").test(value) : value === m.value;
			return same === (m.isEqual !== false);
		});
	} catch {
		return null;
	}
}

/* ---- the form ---- */

function matcherRow(name, value, on) {
	const use = el("input", { type: "checkbox", "aria-label": `match ${name || "a label"}` });
	use.checked = on;
	const row = {
		use,
		name: el("input.name", { type: "text", "aria-label": "label", spellcheck: "false" }),
		op: el("select", { "aria-label": "how" }, OPS.map((o) => el("option", o))),
		value: el("input.what", { type: "text", "aria-label": "value", spellcheck: "false" }),
	};
	row.name.value = name;
	row.value.value = value;
	row.node = el("li", use, row.name, row.op, row.value);
	return row;
}

const readMatchers = () => form.rows.filter((r) => r.use.checked && r.name.value).map((r) => ({
	name: r.name.value, value: r.value.value,
	isRegex: r.op.value.endsWith("~"), isEqual: !r.op.value.startsWith("!"),
}));

function preview() {
	const chosen = readMatchers();
	const said = chosen.map((m) => matches([m], {}) === null ? null : m);
	if (chosen.length === 0) {
		setText(form.preview, "Choose what must match.");
	} else if (said.includes(null)) {
		setText(form.preview, "The expression is checked by the server.");
	} else {
		const n = alerts.filter((a) => matches(chosen, a.labels)).length;
		setText(form.preview, `Silences ${n} of the ${alerts.length} alert${alerts.length === 1 ? "" : "s"} firing now.`);
	}
	form.send.disabled = chosen.length === 0;
}

function pickLength(seconds) {
	form.seconds = seconds;
	for (const button of form.picks.children) {
		button.setAttribute("aria-pressed", String(Number(button.dataset.seconds) === seconds));
	}
	setText(form.until, `until ${dateClock(now() + seconds * 1000)}`);
}

async function send(event) {
	event.preventDefault();
	form.send.disabled = true;
	form.error.hidden = true;
	const start = now();
	try {
		await change("POST", "/api/v2/silences", {
			matchers: readMatchers(), createdBy: form.author.value, comment: form.comment.value,
			startsAt: new Date(start).toISOString(),
			endsAt: new Date(start + form.seconds * 1000).toISOString(),
		});
		remember(form.author.value);
		form.dialog.close();
		changed();
	} catch (error) {
		setText(form.error, error.message);
		form.error.hidden = false;
	}
	form.send.disabled = false;
}

function remember(author) {
	try {
		localStorage.setItem(AUTHOR_KEY, author);
	} catch {
		// a private window: it is typed again
	}
}

function remembered() {
	try {
		return localStorage.getItem(AUTHOR_KEY) ?? "";
	} catch {
		return "";
	}
}

function build() {
	form.list = el("ul.matchers");
	form.picks = el("div.picks", { role: "group", "aria-label": "For how long" }, PICKS.map(([name, s]) =>
		el("button", { type: "button", "data-seconds": s }, name)));
	form.until = el("span.note");
	form.author = el("input", { type: "text", required: "", maxlength: "200", autocomplete: "username" });
	form.comment = el("input", { type: "text", required: "", maxlength: "2000", placeholder: "why, and what comes next" });
	form.preview = el("p.note", { role: "status" });
	form.error = el("p.query-error", { role: "alert", hidden: "" });
	form.send = el("button.primary", { type: "submit" }, "Silence");
	const more = el("button.button", { type: "button" }, "Another label");
	const cancel = el("button.button", { type: "button" }, "Cancel");
	const body = el("form", { method: "dialog" },
		el("h2", "Silence"),
		el("p.note", "Alerts on which all of these hold are not told:"),
		form.list, more,
		el("p.field", form.picks, form.until),
		el("label.field", "Your name", form.author),
		el("label.field", "Comment", form.comment),
		form.preview, form.error,
		el("p.actions", cancel, form.send));
	form.dialog = el("dialog.silence", body);
	body.addEventListener("submit", send);
	body.addEventListener("input", preview);
	more.addEventListener("click", () => addRow("", "", true).name.focus());
	cancel.addEventListener("click", () => form.dialog.close());
	form.picks.addEventListener("click", (e) => e.target.dataset.seconds && pickLength(Number(e.target.dataset.seconds)));
	document.body.append(form.dialog);
}

function addRow(name, value, on) {
	const row = matcherRow(name, value, on);
	form.rows.push(row);
	form.list.append(row.node);
	preview();
	return row;
}

function openForm(matchers, comment) {
	if (!form.dialog) {
		build();
	}
	form.rows = [];
	form.list.replaceChildren();
	form.error.hidden = true;
	form.comment.value = comment;
	form.author.value = remembered();
	for (const m of matchers.length > 0 ? matchers : [{ name: "alertname", op: "=", value: "" }]) {
		addRow(m.name, m.value, true).op.value = m.op;
	}
	pickLength(3600);
	preview();
	if (!form.dialog.open) {
		form.dialog.showModal();
	}
	(form.author.value ? form.comment : form.author).focus();
}

/** The form, filled in with an alert's labels. */
export function openSilence(labels) {
	const names = Object.keys(labels).sort((a, b) => (a === "alertname" ? -1 : b === "alertname" ? 1 : a < b ? -1 : 1));
	openForm(names.map((name) => ({ name, op: "=", value: labels[name] })), "");
}

const MATCHER = /^\s*("(?:[^"\\]|\\.)*"|[^\s"{}=!~,]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s"{},]*)\s*(?:,|$)/s;

function unquote(text) {
	if (!text.startsWith('"')) {
		return text;
	}
	try {
		return JSON.parse(text);
	} catch {
		return text.slice(1, -1).replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
	}
}

/** {a="b", c=~"d"} as matchers; null when it is not understood. */
export function parseMatchers(text) {
	let rest = text.trim().replace(/^\{|\}$/g, "").trim();
	const found = [];
	while (rest) {
		const m = MATCHER.exec(rest);
		if (!m) {
			return null;
		}
		found.push({ name: unquote(m[1]), op: m[2], value: unquote(m[3]) });
		rest = rest.slice(m[0].length).trim();
	}
	return found;
}

/** Links as Alertmanager's page has them, in many a template: #/silences/new?filter={…}&comment=…
 *  True when it was one. */
export function followLink(hash) {
	const [path, query] = hash.split(/\?(.*)/s);
	if (path !== "#/silences/new" && path !== "#/silences/new/") {
		return path.startsWith("#/alerts") || path.startsWith("#/silences");
	}
	const params = new URLSearchParams(query ?? "");
	openForm(parseMatchers(params.get("filter") ?? "") ?? [], params.get("comment") ?? "");
	return true;
}

/* ---- the list ---- */

async function act(button, work) {
	button.disabled = true;
	try {
		await work();
		changed();
	} catch (error) {
		setText(button, error.message);
	}
}

function expireButton(silence) {
	const button = el("button.button", { type: "button" }, "End now");
	button.addEventListener("click", () => act(button, () => change("DELETE", `/api/v2/silence/${silence.id}`)));
	return button;
}

function extendButton(silence) {
	const button = el("button.button", { type: "button" }, "+1h");
	button.title = "Extend by an hour";
	button.addEventListener("click", () => act(button, () => change("POST", "/api/v2/silences", {
		...silence, endsAt: new Date(Date.parse(silence.endsAt) + 3600000).toISOString(),
		status: undefined, alerts: undefined, updatedAt: undefined, recurring: silence.recurring || undefined,
	})));
	return button;
}

function whenText(silence) {
	const start = Date.parse(silence.startsAt);
	const end = Date.parse(silence.endsAt);
	return start > now() ? `from ${dateClock(start)} to ${dateClock(end)}` : `until ${dateClock(end)}`;
}

function rowOf(silence) {
	const pending = silence.status.state === "pending";
	return {
		cells: [
			el("span.health" + (pending ? ".unknown" : ".ok"), pending ? "pending" : "active"),
			el("div", el("code", silence.matchers.map(matcherText).join(", ")),
				silence.recurring ? el("p.note", `recurring: ${silence.recurring}`) : null),
			el("span.number", String(silence.alerts)),
			el("div", whenText(silence), el("p.note", Date.parse(silence.endsAt) > now()
				? `${span((Date.parse(silence.endsAt) - now()) / 1000)} left` : "over")),
			el("div", silence.comment, el("p.note", silence.createdBy)),
			el("span.links", extendButton(silence), expireButton(silence)),
		],
	};
}

/** Shows the silences that work now or will. */
export function showSilences(silences) {
	// "left" is said anew every minute
	const signature = JSON.stringify([silences, Math.floor(now() / 60000)]);
	byId("silences-block").hidden = silences.length === 0;
	rebuild(byId("silences"), signature, () =>
		table(["State", "Matches", "Alerts", "When", "Why", ""], silences.map(rowOf)));
}

/** Why an alert is not told, in words; empty when it is. */
export function reasonOf(status, silences, all) {
	const reasons = (status?.silencedBy ?? []).map((id) => {
		const s = silences.find((x) => x.id === id);
		return s ? `silenced by ${s.createdBy || "somebody"} until ${dateClock(Date.parse(s.endsAt))}: ${s.comment}` : "silenced";
	});
	for (const fingerprint of status?.inhibitedBy ?? []) {
		const source = all.find((a) => a.fingerprint === fingerprint);
		reasons.push(`inhibited by ${source?.labels.alertname ?? fingerprint}`);
	}
	for (const name of status?.mutedBy ?? []) {
		reasons.push(`muted by the time interval ${name}`);
	}
	return reasons.join("; ");
}
