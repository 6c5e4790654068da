// SPDX-License-Identifier: Apache-2.0
// A graph of a range query's matrix with uPlot, and its legend. The legend is our own: uPlot
// writes series names as HTML, and names come from whoever sends metrics.

import { byId, dateClock, el, num, setText } from "./dom.js";

const MAX_SERIES = 40;
const COLORS = ["#3b78d8", "#e0803a", "#3f9d5d", "#c94f7c", "#8b63c9", "#2a9fa8", "#b8902a", "#d0564a",
	"#5d7d2c", "#6a7fb0"];

let plot = null;
let shown = null; // {names, hidden, values}

const color = (at) => COLORS[at % COLORS.length];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** {a="b", …} with the metric's name in front, as PromQL writes it. */
export function seriesName(metric) {
	const labels = Object.keys(metric).filter((n) => n !== "__name__").sort()
		.map((n) => `${n}=${JSON.stringify(metric[n])}`);
	const name = metric.__name__ ?? "";
	return labels.length > 0 ? `${name}{${labels.join(", ")}}` : name || "{}";
}

/** Columns for uPlot: the grid of times and one array of values, with gaps, per series. */
export function columns(matrix, start, end, step) {
	const n = Math.floor((end - start) / step + 1e-6) + 1;
	const times = Array.from({ length: n }, (_, i) => start + i * step);
	const values = matrix.map((series) => {
		const column = new Array(n).fill(null);
		for (const [t, v] of series.values ?? []) {
			const at = Math.round((t - start) / step);
			const value = Number(v);
			if (at >= 0 && at < n && Number.isFinite(value)) {
				column[at] = value;
			}
		}
		return column;
	});
	return [times, ...values];
}

export function destroyChart() {
	plot?.destroy();
	plot = null;
	shown = null;
	byId("graph").replaceChildren();
	byId("legend").replaceChildren();
}

function size() {
	const width = Math.max(260, byId("graph").clientWidth);
	return { width, height: width < 500 ? 220 : 320 };
}

/** Marks of the time axis: hours and minutes, seconds when they matter, the date on a new day. */
function timeMarks(_, marks) {
	const fine = marks.length > 1 && marks[1] - marks[0] < 60;
	const days = marks.length > 1 && marks[1] - marks[0] >= 86400;
	let before = "";
	return marks.map((t) => {
		const [date, time] = dateClock(t * 1000).split(" ");
		const day = date.slice(5);
		const label = days ? day : `${fine ? time : time.slice(0, 5)}${day !== before && before ? `\n${day}` : ""}`;
		before = day;
		return label;
	});
}

function axis(values, size) {
	return {
		stroke: css("--muted"), font: `12px ${css("--sans")}`, size, values,
		grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid"), width: 1, size: 4 },
	};
}

const valueMarks = (_, marks) => marks.map((v) => (v === null ? "" : num(v)));

function makePlot(data, onZoom) {
	const options = {
		...size(),
		legend: { show: false },
		cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
		scales: { x: { time: true } },
		axes: [{ ...axis(timeMarks, 44), space: 76 }, axis(valueMarks, 60)],
		series: [{}, ...shown.names.map((_, i) => ({
			label: String(i), stroke: color(i), width: 1.6, spanGaps: false,
			// A line needs two neighbours: few values are shown as points.
			points: { show: (u) => u.data[i + 1].filter((v) => v !== null).length < 4, size: 5 },
			show: !shown.hidden.has(i),
		}))],
		hooks: {
			setCursor: [(u) => sayValues(u.cursor.idx)],
			setSelect: [(u) => {
				if (u.select.width > 4) {
					onZoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
				}
			}],
		},
	};
	return new window.uPlot(options, data, byId("graph"));
}

/** The value of each series under the cursor, or its last one. */
function sayValues(at) {
	if (!shown) {
		return;
	}
	const times = shown.data[0];
	shown.values.forEach((node, i) => {
		const column = shown.data[i + 1];
		let value = at === null || at === undefined ? null : column[at];
		if (at === null || at === undefined) {
			for (let k = column.length - 1; k >= 0 && value === null; k--) {
				value = column[k];
			}
		}
		setText(node, value === null || value === undefined ? "–" : num(value));
	});
	setText(shown.when, at === null || at === undefined ? "last value" : dateClock(times[at] * 1000));
}

function makeLegend(total) {
	const legend = byId("legend");
	shown.when = el("span.when", "last value");
	shown.values = [];
	const items = shown.names.map((name, i) => {
		const swatch = el("span.swatch", { "aria-hidden": "true" });
		swatch.style.backgroundColor = color(i);
		const value = el("span.value");
		shown.values.push(value);
		const button = el("button.series", { type: "button", "aria-pressed": "true", title: "show or hide" },
			swatch, el("span.name", name), value);
		button.addEventListener("click", () => {
			const hide = !shown.hidden.has(i);
			shown.hidden[hide ? "add" : "delete"](i);
			button.setAttribute("aria-pressed", String(!hide));
			plot.setSeries(i + 1, { show: !hide });
		});
		return el("li", button);
	});
	legend.replaceChildren(el("li.head", shown.when,
		total > items.length ? ` · the first ${items.length} of ${total} series` : null), ...items);
}

/** Shows a matrix over [start, end]; onZoom(from, to) is called with a dragged range. */
export function showChart(matrix, { start, end, step }, onZoom) {
	const part = matrix.slice(0, MAX_SERIES);
	const names = part.map((s) => seriesName(s.metric));
	const data = columns(part, start, end, step);
	byId("graph").hidden = byId("legend").hidden = false;
	if (plot && shown && JSON.stringify(names) === JSON.stringify(shown.names)) {
		shown.data = data;
		plot.setData(data);
		sayValues(plot.cursor.idx);
		return;
	}
	destroyChart();
	shown = { names, data, hidden: new Set(), values: [], when: null };
	makeLegend(matrix.length);
	plot = makePlot(data, onZoom);
	sayValues(null);
}

addEventListener("resize", () => plot?.setSize(size()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
	destroyChart();
	byId("query-form").requestSubmit();
});
