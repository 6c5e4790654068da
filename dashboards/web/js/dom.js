// SPDX-License-Identifier: Apache-2.0
// Building the page's elements and saying numbers and times. Text goes in as text only:
// nothing in this page ever parses a string as HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element: el("p.note", {title: "x"}, "text", child, …); null children are left out. */
export function el(spec, ...rest) {
	const [tag, ...classes] = spec.split(".");
	const node = document.createElement(tag || "div");
	if (classes.length > 0) {
		node.className = classes.join(" ");
	}
	let children = rest;
	const first = rest[0];
	if (first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first)) {
		for (const [name, value] of Object.entries(first)) {
			if (value !== null && value !== undefined) {
				node.setAttribute(name, String(value));
			}
		}
		children = rest.slice(1);
	}
	node.append(...children.flat().filter((c) => c !== null && c !== undefined));
	return node;
}

/** Sets text only when it changed, so that selections survive. */
export function setText(node, text) {
	if (node.textContent !== text) {
		node.textContent = text;
	}
}

/** A link, or plain text when the address is not http(s). */
export function link(url, text, spec = "a") {
	let parsed = null;
	try {
		parsed = new URL(url, location.href);
	} catch {
		return document.createTextNode(text);
	}
	if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
		return document.createTextNode(text);
	}
	return el(spec, { href: parsed.href, rel: "noopener noreferrer" }, text);
}

/** Replaces a container's content unless the signature is the one it was last built from. */
export function rebuild(container, signature, build) {
	if (container.belfrySignature === signature) {
		return false;
	}
	container.belfrySignature = signature;
	container.replaceChildren(...[build()].flat());
	return true;
}

/** A table whose cells know their heading, so that a narrow screen can stack them. */
export function table(headings, rows) {
	const head = el("tr", headings.map((h) => el("th", { scope: "col" }, h)));
	const body = rows.map((row) => {
		const cells = row.cells.map((cell, i) =>
			el("td", { "data-label": headings[i] }, ...[cell].flat()));
		return el("tr" + (row.kind ? `.${row.kind}` : ""), cells);
	});
	return el("table", el("thead", head), el("tbody", body));
}

/** A line of the last values, as wide as its box. */
export function sparkline(values) {
	const svg = document.createElementNS(SVG, "svg");
	svg.setAttribute("viewBox", "0 0 100 24");
	svg.setAttribute("preserveAspectRatio", "none");
	svg.setAttribute("class", "spark");
	svg.setAttribute("aria-hidden", "true");
	const top = 1.35 * Math.max(...values, 1e-9);
	const step = values.length > 1 ? 100 / (values.length - 1) : 100;
	const points = values.map((v, i) => `${(i * step).toFixed(1)},${(22.5 - 21 * v / top).toFixed(1)}`);
	const line = document.createElementNS(SVG, "polyline");
	line.setAttribute("points", points.join(" "));
	svg.append(line);
	return svg;
}

/** 0.000123 → 123µ, 1234567 → 1.23M; never more than four digits. */
export function num(value) {
	if (!Number.isFinite(value)) {
		return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "−Inf";
	}
	const size = Math.abs(value);
	if (size === 0) {
		return "0";
	}
	for (const [unit, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
		if (size >= unit) {
			return trim((value / (name === "k" ? 1e3 : unit)).toPrecision(3)) + name;
		}
	}
	if (size >= 1e-3) {
		return trim(value.toPrecision(4));
	}
	return value.toExponential(2);
}

const trim = (text) => text.includes(".") && !text.includes("e")
	? text.replace(/\.?0+$/, "") : text;

export function bytes(value) {
	for (const [unit, name] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
		if (value >= unit) {
			return `${trim((value / unit).toPrecision(3))} ${name}`;
		}
	}
	return `${value} B`;
}

/** Seconds in words: 850ms, 42s, 3m 05s, 2h 10m, 4d 3h. */
export function span(seconds) {
	const s = Math.max(0, seconds);
	if (s < 1) {
		return `${Math.round(s * 1000)}ms`;
	}
	if (s < 60) {
		return `${Math.floor(s)}s`;
	}
	const two = (n) => String(Math.floor(n)).padStart(2, "0");
	if (s < 3600) {
		return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
	}
	if (s < 86400) {
		return `${Math.floor(s / 3600)}h ${two((s % 3600) / 60)}m`;
	}
	return `${Math.floor(s / 86400)}d ${Math.floor((s % 86400) / 3600)}h`;
}

const two = (n) => String(n).padStart(2, "0");

export function clock(ms) {
	const d = new Date(ms);
	return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

export function dateClock(ms) {
	const d = new Date(ms);
	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(ms)}`;
}

/** Labels as chips, but those of leave. */
export function chips(labels, leave = []) {
	const names = Object.keys(labels).filter((n) => !leave.includes(n)).sort();
	return el("ul.chips", names.map((n) =>
		el("li", el("span.k", n), el("span.v", labels[n]))));
}
