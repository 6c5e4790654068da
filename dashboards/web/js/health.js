// SPDX-License-Identifier: Apache-2.0
// How belfry itself fares: the strip of figures, targets, notifications, rule groups, and the
// banners that say when the page must not be believed.

import { byId, bytes, clock, el, link, num, rebuild, setText, span, sparkline, table } from "./dom.js";
import { sum } from "./api.js";
import { queryLink } from "./alerts.js";

const HISTORY = 60;
const rates = new Map(); // name → {last, at, history}

/** Per second since the last call, and the history of it; null until there are two values. */
function rate(name, total) {
	const now = performance.now();
	if (total === null) {
		return null;
	}
	let entry = rates.get(name);
	if (!entry || total < entry.last) {
		entry = { last: total, at: now, history: [] };
		rates.set(name, entry);
		return null;
	}
	if (now - entry.at >= 900) {
		entry.history.push((total - entry.last) / ((now - entry.at) / 1000));
		entry.history.splice(0, entry.history.length - HISTORY);
		entry.last = total;
		entry.at = now;
	}
	return entry.history.length > 0 ? { value: entry.history.at(-1), history: entry.history } : null;
}

const NAMES = {
	samples: "belfry_storage_samples_total",
	statsd: "belfry_statsd_lines_total",
	packets: "belfry_statsd_packets_total",
	series: "belfry_storage_active_series",
	limit: "belfry_storage_active_series_limit",
	memory: "process_resident_memory_bytes",
};

function tile(name, value, detail, kind, history, title) {
	return { name, value, detail: detail ?? "", kind: kind ?? "", history, title };
}

function ingestTiles(found) {
	const tiles = [];
	const samples = rate("samples", sum(found, NAMES.samples));
	tiles.push(tile("Samples", samples ? `${num(samples.value)}/s` : "–", "stored", "", samples?.history));
	const lines = rate("statsd", sum(found, NAMES.statsd));
	const packets = rate("packets", sum(found, NAMES.packets));
	tiles.push(tile("StatsD", lines ? `${num(lines.value)}/s` : "–",
		packets ? `lines, ${num(packets.value)} packets/s` : "lines", "", lines?.history));
	const series = sum(found, NAMES.series);
	const limit = sum(found, NAMES.limit);
	const full = series !== null && limit > 0 && series > 0.9 * limit;
	tiles.push(tile("Series", series === null ? "–" : num(series),
		limit > 0 ? `active, limit ${num(limit)}` : "active", full ? "warning" : ""));
	const dropped = [...found].filter(([n]) => /^belfry_.*_dropped_total$/.test(n))
		.flatMap(([, rows]) => rows).reduce((t, r) => t + r.value, 0);
	const drops = rate("dropped", dropped);
	tiles.push(tile("Dropped", num(dropped), drops && drops.value > 0 ? `${num(drops.value)}/s now` : "since start",
		drops && drops.value > 0 ? "warning" : ""));
	const memory = sum(found, NAMES.memory);
	if (memory !== null) {
		tiles.push(tile("Memory", bytes(memory), "resident"));
	}
	return tiles;
}

/** Seconds since the oldest group's last evaluation beyond its interval; null without groups. */
export function evaluationAge(groups, now) {
	let worst = null;
	for (const group of groups) {
		const last = Date.parse(group.lastEvaluation);
		if (!Number.isFinite(last) || last <= 0) {
			continue;
		}
		const age = Math.max(0, (now - last) / 1000);
		if (!worst || age / group.interval > worst.age / worst.interval) {
			worst = { age, interval: group.interval || 1, name: group.name };
		}
	}
	return worst;
}

/** What is known, in one row of figures. */
export function showTiles(known, now) {
	const tiles = [];
	if (known.metrics) {
		tiles.push(...ingestTiles(known.metrics));
	}
	if (known.targets) {
		const all = known.targets.activeTargets ?? [];
		const up = all.filter((t) => t.health === "up").length;
		const down = all.filter((t) => t.health === "down").length;
		tiles.push(tile("Targets", `${up}/${all.length}`, "up", down > 0 ? "critical" : ""));
	}
	const worst = known.groups ? evaluationAge(known.groups, now) : null;
	tiles.push(tile("Rules evaluated", worst ? `${span(worst.age)}` : "–", worst ? "ago" : "no groups yet",
		worst && isLate(worst) ? "critical" : ""));
	if (known.metrics) {
		const failing = receivers(known.metrics).filter((r) => r.state === "failing").length;
		const queued = sum(known.metrics, "belfry_notify_outbox_rows") ?? 0;
		tiles.push(tile("Notifications", failing > 0 ? `${failing} failing` : "fine",
			`${num(queued)} queued`, failing > 0 ? "critical" : ""));
	}
	const signature = JSON.stringify(tiles);
	rebuild(byId("tiles"), signature, () => tiles.map((t) =>
		el("li.tile" + (t.kind ? `.${t.kind}` : ""),
			el("span.name", t.name), el("span.figure", t.value), el("span.detail", t.detail),
			t.history && t.history.length > 1 ? sparkline(t.history) : null)));
}

const isLate = (worst) => worst.age > Math.max(3 * worst.interval, 10);

const targetName = (t) => t.scrapeUrl;

function targetState(health) {
	const sign = { up: "● up", down: "✕ down" }[health] ?? "○ unknown";
	return el(`span.health.${health === "up" ? "ok" : health === "down" ? "bad" : "unknown"}`, sign);
}

export function showTargets(data, now) {
	const order = { down: 0, unknown: 1, up: 2 };
	const all = (data.activeTargets ?? []).slice().sort((a, b) =>
		(order[a.health] ?? 1) - (order[b.health] ?? 1) || targetName(a).localeCompare(targetName(b)));
	rebuild(byId("targets-body"), JSON.stringify(all), () => {
		if (all.length === 0) {
			return el("div.empty",
				el("p", el("strong", "belfry scrapes nothing yet.")),
				el("p", "Add a target to belfry.yml, as in Prometheus, then reload:"),
				el("pre", "scrape_configs:\n  - job_name: node\n    static_configs:\n      - targets: [127.0.0.1:9100]"));
		}
		return table(["Job", "Target", "State", "Last scrape", "Took", "Last error"], all.map((t) => ({
			kind: t.health === "down" ? "bad" : "",
			cells: [
				t.scrapePool || t.labels?.job || "",
				link(t.scrapeUrl, t.scrapeUrl),
				targetState(t.health),
				lastScrape(t, now),
				t.lastScrapeDuration ? span(t.lastScrapeDuration) : "–",
				t.lastError ? el("span.error", t.lastError) : "",
			],
		})));
	});
}

function lastScrape(target, now) {
	const at = Date.parse(target.lastScrape);
	return Number.isFinite(at) && at > 0 ? el("span.ago", { "data-at": at }, `${span((now - at) / 1000)} ago`) : "never";
}

const NOTIFY = {
	sent: "belfry_notify_sent_total",
	failed: "belfry_notify_failed_total",
	retries: "belfry_notify_retries_total",
	queued: "belfry_notify_queued",
	last: "belfry_notify_last_success_timestamp_seconds",
};
const before = new Map(); // integration → what receivers() said last time

/** One row per integration (a receiver's Slack, mail, webhook) out of the metrics. */
export function receivers(found) {
	const rows = new Map();
	for (const [field, name] of Object.entries(NOTIFY)) {
		for (const { labels, value } of found.get(name) ?? []) {
			const key = labels.integration ?? labels.receiver ?? "";
			const row = rows.get(key) ?? { name: key, sent: 0, failed: 0, retries: 0, queued: 0, last: 0 };
			row[field] += value;
			rows.set(key, row);
		}
	}
	for (const row of rows.values()) {
		row.state = stateOf(row, before.get(row.name));
	}
	return [...rows.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Failing: attempts failed since the last look, and none succeeded after that. */
function stateOf(row, was) {
	const worse = was && (row.failed > was.failed || row.retries > was.retries);
	const better = was && row.sent > was.sent;
	if (worse || (was?.state === "failing" && !better) || (!was && row.failed + row.retries > 0 && row.last === 0)) {
		return "failing";
	}
	if (row.queued > 0) {
		return "waiting";
	}
	return row.sent > 0 ? "fine" : "unused";
}

/** Remembers the rows, so that the next call of receivers() can say what fails now. */
export function rememberReceivers(found) {
	for (const row of receivers(found)) {
		before.set(row.name, row);
	}
}

const NOTIFY_STATES = {
	failing: ["bad", "✕ failing"], waiting: ["warn", "… waiting"], fine: ["ok", "● fine"],
	unused: ["unknown", "nothing sent since start"],
};

export function showNotifications(found) {
	const rows = receivers(found);
	rebuild(byId("notifications-body"), JSON.stringify(rows), () => {
		if (rows.length === 0) {
			return el("div.empty",
				el("p", el("strong", "Nobody would be told.")),
				el("p", "Receivers and a route stand in belfry.yml, as in Alertmanager:"),
				el("pre", "route: {receiver: on-call}\nreceivers:\n  - name: on-call\n    slack_configs:\n" +
					"      - api_url: https://hooks.slack.com/services/…"));
		}
		return table(["Receiver", "State", "Sent", "Waiting", "Retried", "Given up", "Last accepted"], rows.map((r) => {
			const [kind, words] = NOTIFY_STATES[r.state];
			return {
				kind: r.state === "failing" ? "bad" : "",
				cells: [r.name, el(`span.health.${kind}`, words), num(r.sent), num(r.queued), num(r.retries), num(r.failed),
					r.last > 0 ? el("span.ago", { "data-at": r.last * 1000 }, "") : "–"],
			};
		}));
	});
}

export function showRules(groups, now) {
	const rows = groups.flatMap((g) => (g.rules ?? []).map((r) => ({ group: g.name, ...r })));
	const seen = rows.map((r) => [r.group, r.name, r.query, r.state, r.health, r.lastError, r.alerts?.length]);
	rebuild(byId("rules-body"), JSON.stringify(seen), () => {
		if (rows.length === 0) {
			return el("p.empty", "No rules are loaded.");
		}
		return table(["Group", "Rule", "State", "Expression", "Last error"], rows.map((r) => ({
			kind: r.health === "err" ? "bad" : "",
			cells: [r.group, r.name, ruleState(r),
				link(queryLink(r.query), r.query, "a.code"),
				r.lastError ? el("span.error", r.lastError) : ""],
		})));
	});
	tickAges(now);
}

function ruleState(rule) {
	if (rule.health === "err") {
		return el("span.health.bad", "✕ error");
	}
	if (rule.type !== "alerting") {
		return el("span.health.unknown", "recording");
	}
	const kind = { firing: "bad", pending: "warn", inactive: "ok" }[rule.state] ?? "unknown";
	return el(`span.health.${kind}`, rule.state ?? "unknown");
}

export function tickAges(now) {
	for (const node of document.querySelectorAll("[data-at]")) {
		setText(node, `${span((now - Number(node.dataset.at)) / 1000)} ago`);
	}
}

/** The banners: server silent, rules late, configuration refused, StatsD never heard. */
export function showBanners(known, now) {
	const list = [];
	if (known.failure) {
		const when = known.answeredAt ? ` What stands below is of ${clock(known.answeredAt)}.` : "";
		list.push(["critical", `belfry does not answer (${known.failure}).${when}`]);
	}
	const worst = known.groups ? evaluationAge(known.groups, now) : null;
	if (!known.failure && worst && isLate(worst)) {
		list.push(["critical", `Rules of group ${worst.name} were last evaluated ${span(worst.age)} ago, ` +
			`though they are due every ${span(worst.interval)}: alerts may be missing here.`]);
	}
	if (known.runtime && known.runtime.reloadConfigSuccess === false) {
		list.push(["warning", "The last reload of the configuration failed; belfry goes on with the one before.",
			known.runtime.reloadConfigError || "The log says what is wrong, and so does: belfry check config FILE"]);
	}
	rebuild(byId("banners"), JSON.stringify(list), () =>
		list.map(([kind, text, detail]) => el(`div.banner.${kind}`, el("p", text), detail ? el("pre", detail) : null)));
	document.body.classList.toggle("stale", Boolean(known.failure));
}

/** The hint for the very first StatsD line. */
export function statsdHint(found, port) {
	const lines = sum(found, NAMES.statsd);
	if (lines === null || lines > 0) {
		return null;
	}
	return `echo 'test:1|c' | nc -u -w0 ${location.hostname} ${port}`;
}
