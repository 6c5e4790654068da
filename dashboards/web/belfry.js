// SPDX-License-Identifier: Apache-2.0
// The page: asks the server every few seconds and hands the answers to the parts that show them.
// What can't be asked (an endpoint that fails) leaves its part as it was; when nothing answers at
// all, a banner says so and since when.

import { byId, clock, el, rebuild, setText } from "./js/dom.js";
import { api, metrics, own } from "./js/api.js";
import { showAlerts, tickAlerts } from "./js/alerts.js";
import { rememberReceivers, showBanners, showNotifications, showRules, showTargets, showTiles,
	statsdHint, tickAges } from "./js/health.js";
import { followLink, showSilences, silenceContext } from "./js/silence.js";
import { refresh, startQuery, suggestNames } from "./js/query.js";

const EVERY_MS = 3000;
const HIDDEN_EVERY_MS = 15000;

const known = {
	groups: null, told: [], silences: [], targets: null, metrics: null, runtime: null,
	failure: null, answeredAt: 0,
	skewMs: 0, // the server's clock minus ours
	statsdPort: "8125",
};

const serverNow = () => Date.now() + known.skewMs;

function learnSkew(date) {
	const at = Date.parse(date ?? "");
	if (Number.isFinite(at) && Math.abs(at - Date.now()) > 2000) {
		known.skewMs = at - Date.now();
	} else if (Number.isFinite(at)) {
		known.skewMs = 0; // the header has whole seconds only
	}
}

/** One part: remembers its answer; returns its failure or null. */
async function part(ask, keep) {
	try {
		keep(await ask());
		return null;
	} catch (error) {
		return error;
	}
}

/** So many fire that their details are not asked for twice: of the notifier only the suppressed. */
function manyAlerts() {
	const rules = (known.groups ?? []).flatMap((g) => g.rules ?? []);
	return rules.reduce((n, r) => n + (r.alerts?.length ?? 0), 0) > 2000;
}

async function askAll() {
	const failures = await Promise.all([
		part(() => api("rules"), ({ data, date }) => {
			known.groups = data.groups ?? [];
			learnSkew(date);
		}),
		part(() => own(manyAlerts() ? "alerts?active=false" : "alerts"), (list) => {
			known.told = list;
		}),
		part(() => own("silences?expired=false"), (list) => {
			known.silences = list;
		}),
		part(() => api("targets"), ({ data }) => {
			known.targets = data;
		}),
		part(() => api("status/runtimeinfo"), ({ data }) => {
			known.runtime = data;
		}),
		part(metrics, (found) => {
			known.metrics = found;
		}),
	]);
	// Any answer, even an error, means that it lives; silence of all means that it doesn't.
	const silent = failures.every((f) => f && f.status === 0);
	known.failure = silent ? failures[0].message : null;
	if (!silent) {
		known.answeredAt = Date.now();
	}
	return !silent;
}

function showStatsdHint() {
	const command = known.metrics ? statsdHint(known.metrics, known.statsdPort) : null;
	let box = byId("statsd-hint");
	if (!command) {
		box?.remove();
		return;
	}
	if (!box) {
		box = el("div.empty", { id: "statsd-hint" });
		byId("tiles").after(box);
	}
	rebuild(box, command, () => [
		el("p", el("strong", "No StatsD line has come yet."), " Try this, then query test_total:"),
		el("pre", command),
	]);
}

function show() {
	const now = serverNow();
	if (known.groups) {
		silenceContext(known.told, serverNow, soon);
		showAlerts(known.groups, known.told, known.silences);
		showSilences(known.silences);
		showRules(known.groups, now);
	}
	if (known.targets) {
		showTargets(known.targets, now);
	}
	if (known.metrics) {
		showNotifications(known.metrics);
	}
	showTiles(known, now);
	if (known.metrics) {
		rememberReceivers(known.metrics);
		showStatsdHint();
	}
	if (known.failure && !known.groups) {
		byId("state").className = "state unknown";
		setText(byId("state-line"), "Nothing known");
		setText(byId("state-detail"), "no answer since this page was opened");
	}
	if (known.failure) {
		document.title = "(?) belfry";
	}
	showBanners(known, now);
	setText(byId("asof"), known.answeredAt ? `as of ${clock(known.answeredAt)}` : "");
	tick();
}

function tick() {
	const now = serverNow();
	tickAlerts(now);
	tickAges(now);
}

async function identify() {
	const { data } = await api("status/buildinfo");
	// The version is that of the Prometheus whose API is spoken; which belfry stands in the revision.
	setText(byId("version"), data.revision?.startsWith("belfry ") ? data.revision : `version ${data.version}`);
	setText(byId("host"), location.host);
}

async function learnStatsdPort() {
	const { data } = await api("status/config");
	const found = /^statsd:[\s\S]*?udp:\/\/[^\s"']*:(\d+)/m.exec(data.yaml ?? "");
	if (found) {
		known.statsdPort = found[1];
	}
}

/** Something was changed here: the next round begins at once. */
let wake = () => {};
function soon() {
	wake();
}

async function loop() {
	for (let round = 0; ; round++) {
		const answered = await askAll();
		show();
		if (answered && round % 20 === 0) {
			await Promise.allSettled([identify(), learnStatsdPort(), suggestNames()]);
			showStatsdHint();
		}
		if (answered && !document.hidden) {
			refresh();
		}
		await new Promise((done) => {
			wake = done;
			setTimeout(done, round === 0 ? 1000 : document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
		});
	}
}

function onHash() {
	if (followLink(location.hash)) {
		history.replaceState(null, "", "#alerts");
	}
}

startQuery();
onHash();
addEventListener("hashchange", onHash);
setInterval(tick, 1000);
loop();
