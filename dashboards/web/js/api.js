// SPDX-License-Identifier: Apache-2.0
// Asking the server: JSON of the HTTP API with a deadline, and the text of /metrics.

const TIMEOUT_MS = 8000;

export class ApiError extends Error {
	/** status 0: no answer at all. */
	constructor(message, status) {
		super(message);
		this.status = status;
	}
}

async function fetchText(path, options, timeout) {
	const abort = new AbortController();
	const timer = setTimeout(() => abort.abort(), timeout);
	const stop = () => abort.abort();
	options?.signal?.addEventListener("abort", stop);
	try {
		const res = await fetch(path, { ...options, signal: abort.signal, cache: "no-store" });
		return { res, text: await res.text() };
	} catch (cause) {
		if (options?.signal?.aborted) {
			throw cause;
		}
		throw new ApiError(abort.signal.aborted ? `no answer within ${timeout / 1000} s` : "no answer", 0);
	} finally {
		clearTimeout(timer);
		options?.signal?.removeEventListener("abort", stop);
	}
}

/** data of /api/v1/PATH; ApiError with the server's own words otherwise. */
export async function api(path, params = null, { signal = null, timeout = TIMEOUT_MS } = {}) {
	const options = { signal };
	if (params) {
		options.method = "POST";
		options.body = new URLSearchParams(params);
	}
	const { res, text } = await fetchText(`/api/v1/${path}`, options, timeout);
	let answer = null;
	try {
		answer = JSON.parse(text);
	} catch {
		throw new ApiError(res.ok ? "the answer is not JSON" : text.slice(0, 300).trim() || `HTTP ${res.status}`,
			res.status || 0);
	}
	if (!res.ok || answer.status !== "success") {
		throw new ApiError(answer.error || `HTTP ${res.status}`, res.status);
	}
	return { data: answer.data, warnings: answer.warnings ?? [], date: res.headers.get("date") };
}

/** The JSON of any path; ApiError with the server's own words otherwise. */
async function json(path, options) {
	const { res, text } = await fetchText(path, options, TIMEOUT_MS);
	let answer = null;
	try {
		answer = text ? JSON.parse(text) : null;
	} catch {
		answer = text;
	}
	if (!res.ok) {
		const words = typeof answer === "string" ? answer : answer?.message ?? answer?.error;
		throw new ApiError(words?.slice(0, 500) || `HTTP ${res.status}`, res.status);
	}
	return answer;
}

/** A list of belfry's own API (/api/belfry/v1/PATH). */
export const own = (path) => json(`/api/belfry/v1/${path}`, {});

/** Changes something: POST or DELETE. */
export const change = (method, path, body = null) => json(path, body === null ? { method } : {
	method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
});

/** The server's metrics: Map of name to a list of {labels, value}. */
export async function metrics() {
	const { res, text } = await fetchText("/metrics", {}, TIMEOUT_MS);
	if (!res.ok) {
		throw new ApiError(`HTTP ${res.status}`, res.status);
	}
	return parseMetrics(text);
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+\S+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text) {
	const found = new Map();
	for (const line of text.split("\n")) {
		const match = line.startsWith("#") ? null : LINE.exec(line);
		if (!match) {
			continue;
		}
		const labels = {};
		for (const [, name, value] of (match[2] ?? "").matchAll(LABEL)) {
			labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
		}
		const value = match[3].endsWith("Inf")
			? (match[3].startsWith("-") ? -Infinity : Infinity) : Number(match[3]);
		if (!found.has(match[1])) {
			found.set(match[1], []);
		}
		found.get(match[1]).push({ labels, value });
	}
	return found;
}

/** Sum over the series of that name that have these labels; null if there is none. */
export function sum(found, name, labels = {}) {
	const rows = found.get(name)?.filter((row) =>
		Object.entries(labels).every(([k, v]) => row.labels[k] === v)) ?? [];
	return rows.length > 0 ? rows.reduce((total, row) => total + row.value, 0) : null;
}
