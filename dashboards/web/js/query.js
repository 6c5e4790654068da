// SPDX-License-Identifier: Apache-2.0
// The query box: an expression, a range, a graph or a table; the address of the page holds all
// three, so that it can be sent to a colleague (the names are those of Prometheus's own page).

import { byId, dateClock, el, num, rebuild, setText, table } from "./dom.js";
import { api } from "./api.js";
import { destroyChart, seriesName, showChart } from "./chart.js";

const MAX_ROWS = 500;
const EXAMPLES = ["up", "ALERTS", "topk(10, count by (__name__) ({__name__!=\"\"}))",
	"sum by (job) (scrape_samples_scraped)"];
const RANGE_UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

const state = { expr: "", view: "graph", range: 900, zoom: null, running: null, ranAt: 0 };

function readAddress() {
	const given = new URLSearchParams(location.search);
	state.expr = given.get("g0.expr") ?? "";
	const tab = given.get("g0.tab");
	state.view = tab === "1" || tab === "table" ? "table" : "graph";
	const range = /^(\d+)([smhdw])$/.exec(given.get("g0.range_input") ?? "");
	if (range) {
		state.range = Number(range[1]) * RANGE_UNITS[range[2]];
	}
}

function writeAddress() {
	const say = new URLSearchParams();
	if (state.expr) {
		say.set("g0.expr", state.expr);
		say.set("g0.tab", state.view === "table" ? "1" : "0");
		say.set("g0.range_input", `${state.range}s`);
	}
	const address = say.size > 0 || say.toString() ? `?${say}` : location.pathname;
	history.replaceState(null, "", address + (state.expr ? "#query" : location.hash));
}

function press() {
	for (const b of byId("views").children) {
		b.setAttribute("aria-pressed", String(b.dataset.view === state.view));
	}
	for (const b of byId("ranges").children) {
		b.setAttribute("aria-pressed", String(!state.zoom && Number(b.dataset.range) === state.range));
	}
	byId("ranges").hidden = state.view === "table";
	byId("zoom-out").hidden = !state.zoom;
}

/** A step that gives about a point a two pixels, on a round number of seconds. */
function stepFor(seconds) {
	const width = Math.max(300, byId("query").clientWidth);
	const wanted = seconds / (width / 2);
	const round = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
	return round.find((r) => r >= wanted) ?? Math.ceil(wanted / 86400) * 86400;
}

function spanNow() {
	const end = state.zoom ? state.zoom[1] : Date.now() / 1000;
	const start = state.zoom ? state.zoom[0] : end - state.range;
	const step = stepFor(end - start);
	return { start: Math.floor(start / step) * step, end: Math.floor(end / step) * step, step };
}

function sayError(error) {
	const box = byId("query-error");
	box.hidden = !error;
	box.replaceChildren();
	if (!error) {
		return;
	}
	const [message, ...excerpt] = error.message.split("\n"); // the place with a caret comes below
	box.append(el("p", message));
	if (excerpt.length > 0) {
		box.append(el("pre", excerpt.join("\n")));
	}
}

function empty(build) {
	byId("query-empty").replaceChildren(...[build ? build() : []].flat());
}

function nothingFound() {
	return el("p.empty", "The query is fine, but nothing matches it in this range.");
}

function histogramText(h) {
	return `histogram: ${num(Number(h.count))} observations, sum ${num(Number(h.sum))}, ` +
		`${(h.buckets ?? []).length} buckets`;
}

function showTable(data) {
	const box = byId("query-table");
	if (data.resultType === "scalar" || data.resultType === "string") {
		box.replaceChildren(table(["Type", "Value"], [{ cells: [data.resultType, data.result[1]] }]));
		return;
	}
	const rows = data.result.slice(0, MAX_ROWS).map((r) => {
		const points = r.value ? [r.value] : r.values ?? [];
		const shapes = r.histogram ? [r.histogram] : r.histograms ?? [];
		const words = [...points.map(([, v]) => v), ...shapes.map(([, h]) => histogramText(h))];
		return { cells: [el("code", seriesName(r.metric)), el("span.number", words.slice(0, 20).join("  "))] };
	});
	box.replaceChildren(table(["Series", "Value"], rows));
	if (data.result.length > MAX_ROWS) {
		box.append(el("p.note", `the first ${MAX_ROWS} of ${data.result.length} series`));
	}
}

async function ask(signal) {
	if (state.view === "table") {
		const { data, warnings } = await api("query", { query: state.expr }, { signal, timeout: 30000 });
		return { data, warnings, points: null };
	}
	const grid = spanNow();
	const { data, warnings } = await api("query_range",
		{ query: state.expr, start: grid.start, end: grid.end, step: grid.step }, { signal, timeout: 30000 });
	return { data, warnings, grid };
}

function show({ data, warnings, grid }) {
	const none = Array.isArray(data.result) && data.result.length === 0;
	empty(none ? nothingFound : null);
	if (grid) {
		byId("query-table").replaceChildren();
		const drawn = data.result.filter((s) => s.values);
		if (drawn.length > 0) {
			showChart(drawn, grid, zoomTo);
		} else {
			hideGraph();
		}
		const shapes = data.result.length - drawn.length;
		if (shapes > 0) {
			empty(() => el("p.empty", `${shapes} series hold native histograms: draw ` +
				"histogram_quantile(0.99, rate(…)) of them, or see the table."));
		}
	} else {
		hideGraph();
		byId("query-table").replaceChildren();
		if (!none) {
			showTable(data);
		}
	}
	const words = warnings.slice(0, 3);
	if (state.zoom) {
		words.unshift(`${dateClock(state.zoom[0] * 1000)} – ${dateClock(state.zoom[1] * 1000)}`);
	}
	setText(byId("query-note"), words.join(" · "));
}

function hideGraph() {
	destroyChart();
	byId("graph").hidden = byId("legend").hidden = true;
}

/** Runs what stands in the box. */
export async function run() {
	state.running?.abort();
	if (!state.expr.trim()) {
		hideGraph();
		byId("query-table").replaceChildren();
		sayError(null);
		empty(examples);
		return;
	}
	const mine = new AbortController();
	state.running = mine;
	state.ranAt = Date.now();
	byId("query").setAttribute("aria-busy", "true");
	try {
		const got = await ask(mine.signal);
		sayError(null);
		show(got);
	} catch (error) {
		if (mine.signal.aborted) {
			return;
		}
		empty(null);
		hideGraph();
		byId("query-table").replaceChildren();
		sayError(error);
	} finally {
		if (state.running === mine) {
			state.running = null;
			byId("query").removeAttribute("aria-busy");
		}
	}
}

/** Keeps a live graph or table fresh, no faster than its own step. */
export function refresh() {
	const pause = state.view === "table" ? 5 : Math.max(5, stepFor(state.range));
	const wrong = !byId("query-error").hidden;
	if (state.expr && !state.zoom && !state.running && !wrong && Date.now() - state.ranAt >= pause * 1000) {
		run();
	}
}

function zoomTo(from, to) {
	if (to - from >= 10) {
		state.zoom = [from, to];
		press();
		run();
	}
}

function examples() {
	return el("div.empty",
		el("p", "Type an expression, or try one of these:"),
		el("p.examples", EXAMPLES.map((text) => {
			const button = el("button.example", { type: "button" }, text);
			button.addEventListener("click", () => start(text));
			return button;
		})));
}

function start(expr) {
	byId("expr").value = expr;
	state.expr = expr;
	state.zoom = null;
	press();
	writeAddress();
	run();
}

/** Names for the box's suggestions; called now and then. */
export async function suggestNames() {
	const { data } = await api("label/__name__/values");
	const names = data.slice(0, 2000);
	rebuild(byId("metric-names"), names.join("\n"), () => names.map((n) => el("option", { value: n })));
}

export function startQuery() {
	readAddress();
	byId("expr").value = state.expr;
	byId("query-form").addEventListener("submit", (event) => {
		event.preventDefault();
		start(byId("expr").value);
	});
	byId("views").addEventListener("click", (event) => {
		if (event.target.dataset.view) {
			state.view = event.target.dataset.view;
			press();
			writeAddress();
			run();
		}
	});
	byId("ranges").addEventListener("click", (event) => {
		if (event.target.dataset.range) {
			state.range = Number(event.target.dataset.range);
			state.zoom = null;
			press();
			writeAddress();
			run();
		}
	});
	byId("zoom-out").addEventListener("click", () => {
		state.zoom = null;
		press();
		run();
	});
	document.addEventListener("keydown", (event) => {
		const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
		if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
			event.preventDefault();
			byId("expr").focus();
		}
	});
	press();
	run();
}
