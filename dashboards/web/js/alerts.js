// SPDX-License-Identifier: Apache-2.0
// The alerts: firing and pending as cards, most severe first, and the line that says it all.

import { byId, chips, clock, dateClock, el, link, num, rebuild, setText, span } from "./dom.js";
import { openSilence, reasonOf } from "./silence.js";

const SEVERITIES = ["critical", "page", "error", "warning", "info", "none"];
const KIND = { critical: "critical", page: "critical", error: "critical", warning: "warning" };
const HIDDEN_LABELS = ["alertname", "severity"];
const SIGN = { critical: "●", warning: "▲", info: "■" };

const cards = new Map();

const severityOf = (alert) => alert.labels.severity ?? "";
const kindOf = (alert) => KIND[severityOf(alert)] ?? "info";
const rank = (alert) => {
	const at = SEVERITIES.indexOf(severityOf(alert));
	return at < 0 ? SEVERITIES.length : at;
};
const since = (alert) => Date.parse(alert.activeAt);

const identity = (alert) => JSON.stringify(Object.entries(alert.labels).sort());

/** Alerts of all groups, each with its rule. */
export function alertsOf(groups) {
	const all = [];
	for (const group of groups) {
		for (const rule of group.rules ?? []) {
			for (const alert of rule.alerts ?? []) {
				all.push({ ...alert, rule, group: group.name });
			}
		}
	}
	return all;
}

/** The firing alerts with what the notifier knows of them; those of other servers too. */
function withStatus(firing, told, silences) {
	const status = new Map(told.map((t) => [identity(t), t]));
	const outside = told.filter((t) => t.external).map((t) => ({
		state: "firing", labels: t.labels, annotations: t.annotations, activeAt: t.startsAt,
		value: null, rule: null, source: t.generatorURL,
	}));
	return firing.concat(outside).map((a) => ({
		...a, quiet: reasonOf(status.get(identity(a))?.status, silences, told),
	}));
}

function sorted(alerts) {
	return alerts.slice().sort((a, b) =>
		Boolean(a.quiet) - Boolean(b.quiet) || rank(a) - rank(b) || since(b) - since(a) || identity(a).localeCompare(identity(b)));
}

/** Where the page itself shows a query. */
export const queryLink = (expr) => `/?g0.expr=${encodeURIComponent(expr)}#query`;

function makeCard(alert) {
	const kind = kindOf(alert);
	const card = {
		node: null,
		value: el("span.value"),
		since: el("span.since"),
		summary: el("p.summary"),
		description: el("p.description"),
		quiet: el("p.quiet"),
		links: el("p.links"),
		bar: el("progress.for", { max: 1, value: 0, "aria-label": "time until it fires" }),
		activeAt: since(alert),
		holdFor: alert.state === "pending" ? alert.rule?.duration ?? 0 : 0,
	};
	const badge = severityOf(alert) || "no severity";
	card.node = el(`article.card.${kind}`,
		el("header",
			el("span.badge", el("span", { "aria-hidden": "true" }, `${SIGN[kind]} `), badge),
			el("h3", alert.labels.alertname ?? "(no name)"),
			el("span.figures", card.value, card.since)),
		card.summary,
		card.description,
		card.quiet,
		card.holdFor > 0 ? card.bar : null,
		el("footer", chips(alert.labels, HIDDEN_LABELS), card.links));
	return card;
}

function silenceButton(labels) {
	const button = el("button.button", { type: "button" }, "Silence");
	button.addEventListener("click", () => openSilence(labels));
	return button;
}

function fillCard(card, alert) {
	const notes = alert.annotations ?? {};
	const told = notes.summary || notes.message || "";
	const more = notes.description && notes.description !== told ? notes.description : "";
	const known = alert.value !== null && alert.value !== undefined;
	setText(card.value, known ? num(Number(alert.value)) : "");
	card.value.title = known ? `value ${Number(alert.value)}` : "";
	setText(card.quiet, alert.quiet ?? "");
	card.quiet.hidden = !alert.quiet;
	card.node.classList.toggle("suppressed", Boolean(alert.quiet));
	setText(card.summary, told || alert.rule?.query || "");
	card.summary.classList.toggle("expression", !told);
	setText(card.description, more);
	card.description.hidden = !more;
	card.activeAt = since(alert);
	card.since.title = `since ${dateClock(card.activeAt)}`;
	const runbook = notes.runbook_url || notes.runbook;
	const dashboard = notes.dashboard_url || notes.dashboard;
	const silence = alert.state === "firing" && !alert.quiet;
	rebuild(card.links, JSON.stringify([runbook, dashboard, alert.rule?.query, alert.source, silence]), () => [
		runbook ? link(runbook, "Runbook", "a.button") : null,
		dashboard ? link(dashboard, "Dashboard", "a.button") : null,
		alert.rule?.query ? link(queryLink(alert.rule.query), "Graph", "a.button") : null,
		alert.source ? link(alert.source, "Source", "a.button") : null,
		silence ? silenceButton(alert.labels) : null,
	].filter((node) => node instanceof Element));
}

function place(container, alerts, seen) {
	alerts.forEach((alert, at) => {
		const key = `${alert.state} ${identity(alert)}`;
		seen.add(key);
		let card = cards.get(key);
		if (!card) {
			card = makeCard(alert);
			cards.set(key, card);
		}
		fillCard(card, alert);
		if (container.children[at] !== card.node) {
			container.insertBefore(card.node, container.children[at] ?? null);
		}
	});
}

function countBy(alerts) {
	const counts = { critical: 0, warning: 0, info: 0 };
	for (const alert of alerts) {
		counts[kindOf(alert)]++;
	}
	return counts;
}

const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

function sayState(all, pending, rules) {
	const firing = all.filter((a) => !a.quiet);
	const quiet = all.length - firing.length;
	const counts = countBy(firing);
	const words = Object.entries(counts).filter(([, n]) => n > 0)
		.map(([kind, n]) => `${n} ${kind === "info" ? "other" : kind}`);
	let kind = "ok";
	if (firing.length > 0) {
		kind = counts.critical > 0 ? "critical" : counts.warning > 0 ? "warning" : "info";
	}
	byId("state").className = `state ${kind}`;
	setText(byId("state-line"), firing.length > 0 ? `${plural(firing.length, "alert")} firing` : "All quiet");
	const detail = firing.length > 0 ? [words.join(", ")] : [];
	if (quiet > 0) {
		detail.push(`${quiet} suppressed`);
	}
	if (pending.length > 0) {
		detail.push(`${pending.length} pending`);
	}
	if (all.length === 0) {
		detail.push(rules > 0 ? `${plural(rules, "alerting rule")} watched, none firing` : "no alerting rules loaded");
	}
	setText(byId("state-detail"), detail.join(" · "));
	document.title = firing.length > 0 ? `(${firing.length}) belfry` : "belfry";
	const icon = firing.length > 0 ? "favicon-firing.svg" : "favicon.svg";
	if (byId("favicon").getAttribute("href") !== icon) {
		byId("favicon").setAttribute("href", icon);
	}
}

function teach(rules, pending) {
	rebuild(byId("alerts-empty"), `${rules} ${pending}`, () => {
		if (rules > 0) {
			return el("p.empty.calm", "Nothing is firing.");
		}
		return el("div.empty",
			el("p", el("strong", "No alerting rules are loaded, so nothing can fire.")),
			el("p", "Name rule files in belfry.yml, in Prometheus's format, then reload:"),
			el("pre", "rule_files: [rules.d/*.yml]"),
			el("pre", `curl -X POST ${location.origin}/-/reload`));
	});
}

/** Shows the alerts of these rule groups; told: the notifier's, silences: those that work or will. */
export function showAlerts(groups, told = [], silences = []) {
	const all = alertsOf(groups);
	const firing = sorted(withStatus(all.filter((a) => a.state === "firing"), told, silences));
	const pending = sorted(all.filter((a) => a.state === "pending"));
	const rules = groups.flatMap((g) => g.rules ?? []).filter((r) => r.type === "alerting").length;
	const seen = new Set();
	place(byId("firing"), firing, seen);
	place(byId("pending"), pending, seen);
	for (const [key, card] of cards) {
		if (!seen.has(key)) {
			card.node.remove();
			cards.delete(key);
		}
	}
	byId("pending-block").hidden = pending.length === 0;
	byId("alerts-empty").hidden = firing.length > 0;
	teach(rules, pending.length);
	sayState(firing, pending, rules);
}

/** Keeps "since" and the progress of pending alerts going between two answers. */
export function tickAlerts(now) {
	for (const card of cards.values()) {
		const age = (now - card.activeAt) / 1000;
		if (card.holdFor > 0) {
			card.bar.value = Math.min(1, age / card.holdFor);
			setText(card.since, `${span(age)} of ${span(card.holdFor)}`);
		} else {
			setText(card.since, `for ${span(age)}, since ${clock(card.activeAt)}`);
		}
	}
}
