// One card a mapping. Elements stay and are written into, so that focus, selection and open details survive each snapshot.
import { chart, merged } from "./charts.js";
import { $, brief, clock, element, hide, plural, put, rate, say, span, whole } from "./format.js";
import { lineage } from "./lineage.js";

export const cards = new Map();
const TONES = { running: "good", paused: "wait", starting: "wait", stopping: "wait", "backing off": "bad" };
// What tells how far a mapping is from the end of its source: title, spelling, scale, and its value now.
const BACKLOGS = {
  depth: ["queue depth", brief, { least: 10 }, (mapping) => mapping.depth && mapping.depth.visible],
  iterator_age: ["iterator age", span, {}, (mapping) => mapping.iterator_age_seconds],
};
const BOOKS = [["deleted", "done"], ["checkpointed", "done"], ["discarded", "bad"], ["returned", "wait"], ["expired", "lilac"], ["in_flight", "water"]];
const FIGURES = ["received", "done", "in flight", "failed", "p50", "p95", "p99"];

function card(mapping, act) {
  const name = mapping.name, [backlog, spelled, scale] = BACKLOGS[mapping.backlog];
  const parts = {
    state: element("span", { class: "pill" }), sentence: element("p", { class: "sentence" }), source: element("div", { class: "source" }),
    figures: new Map(), books: element("div", { class: "books", "aria-hidden": "true" }), legend: element("div", { class: "legend" }),
    balance: element("h3"), failures: element("div", { class: "scroll failures", tabindex: "0", role: "region", "aria-label": `last failures of ${name}` }),
    shards: element("div", { class: "shards scroll", tabindex: "0", role: "region", "aria-label": `shards of ${name}` }),
    toggle: element("button", { type: "button", text: "Pause", onclick: () => act(name) }),
    open: element("button", { type: "button", text: "Details", "aria-expanded": "false", onclick: () => unfold(name) }),
    throughput: chart("throughput", [["in", "water"], ["done", "done"]], rate),
    latency: chart("latency", [["p95", "lilac"], ["p50", "soft"]], span, { plain: true, least: 0.001 }),
    lag: chart(backlog, [[backlog, "wait"]], spelled, scale),
    flying: chart("in flight", [["in flight", "water"]], brief, { least: 10 }),
    batches: chart("batches", [["batches", "done"]], rate),
    failed: chart("failures", [["failed", "bad"]], brief, { barred: true, least: 5 }),
  };
  const list = element("dl", { class: "figures" });
  for (const figure of FIGURES) {
    const value = element("dd", { text: "–" });
    parts.figures.set(figure, value);
    list.append(element("div", {}, element("dt", { text: figure }), value));
  }
  parts.shardsPart = element("section", {}, element("h3", { text: "Shards" }), parts.shards);
  parts.details = element("div", { class: "details", id: `details-${cards.size}`, hidden: "" },
    element("section", {}, parts.balance, parts.books, parts.legend), parts.shardsPart, element("section", {}, element("h3", { text: "Last failures" }), parts.failures));
  parts.open.setAttribute("aria-controls", parts.details.id);
  parts.root = element("article", { class: "mapping", tabindex: "0", "data-name": name, "aria-label": `mapping ${name}` },
    element("div", { class: "top" }, element("h2", { text: name }), element("span", { class: "kind", text: mapping.label }), parts.state,
      element("div", { class: "actions" }, parts.toggle, parts.open)),
    parts.source, parts.sentence, list, element("div", { class: "charts" }, ...[parts.throughput, parts.latency, parts.failed, parts.lag, parts.flying, parts.batches].map((one) => one.figure)), parts.details);
  $("mappings").append(parts.root);
  cards.set(name, parts);
  return parts;
}

// What the stream sends first: the past of a mapping, whose card may not be there yet.
const pasts = new Map();
export function remember(past) {
  pasts.set(past.name, past.series);
}

export function show(mapping, act) {
  const parts = cards.get(mapping.name) || card(mapping, act), ledger = mapping.ledger;
  parts.mapping = mapping;
  const series = merged(pasts.get(mapping.name), mapping.series);
  pasts.set(mapping.name, series);
  say(parts.state, mapping.state);
  put(parts.state, "class", `pill ${TONES[mapping.state] || ""}`);
  say(parts.source, `${mapping.source} → ${mapping.function}`);
  put(parts.source, "title", parts.source.textContent);
  say(parts.sentence, mapping.sentence);
  put(parts.sentence, "class", `sentence ${/^(backing off|retrying|delivering)/.test(mapping.sentence) ? "bad" : /^(paused|waiting for a permit|stopping)/.test(mapping.sentence) ? "wait" : ""}`);
  const idle = mapping.state === "paused" || mapping.state === "disabled";
  say(parts.toggle, idle ? "Resume" : "Pause");
  put(parts.toggle, "aria-label", `${parts.toggle.textContent} ${mapping.name}`);
  put(parts.open, "aria-label", `Details of ${mapping.name}`);
  const latency = mapping.latency_seconds, done = ledger.deleted + ledger.checkpointed + ledger.discarded;
  const values = [brief(ledger.received), brief(done), brief(ledger.in_flight), brief(ledger.failed), span(latency.p50), span(latency.p95), span(latency.p99)];
  FIGURES.forEach((figure, index) => say(parts.figures.get(figure), values[index]));
  put(parts.figures.get("failed"), "class", ledger.failed ? "bad" : "");
  parts.throughput.draw([series.received, series.done], [mapping.received_per_second, mapping.done_per_second]);
  parts.latency.draw([series.p95, series.p50], [latency.p95, latency.p50]);
  parts.lag.draw([series[mapping.backlog]], [BACKLOGS[mapping.backlog][3](mapping)]);
  parts.flying.draw([series.in_flight], [ledger.in_flight]);
  parts.batches.draw([series.batches], [mapping.batches_per_second]);
  parts.failed.draw([series.failed], [mapping.failed_recently]);
  if (!parts.details.hidden) detail(parts, mapping, ledger);
}

// Drawn anew only when what it shows has changed.
function redraw(parts, key, shown, make) {
  const told = JSON.stringify(shown);
  if (parts[`${key}Told`] === told) return;
  parts[`${key}Told`] = told;
  parts[key].replaceChildren(...make());
}

function detail(parts, mapping, ledger) {
  say(parts.balance, ledger.balanced ? "The books balance" : "The books do not balance");
  const counted = BOOKS.filter(([name]) => ledger[name] > 0);
  redraw(parts, "books", counted.map(([name]) => ledger[name]), () => counted.map(([name, tone]) => {
    const part = element("i", { class: tone });
    part.style.flexGrow = ledger[name];
    return part;
  }));
  const others = [["filtered", ledger.filtered], ["visibility extensions", ledger.extended], ["deletes retried", ledger.deletes_retried], ["restarts", mapping.restarts]].filter(([, count]) => count > 0);
  redraw(parts, "legend", [ledger, mapping.restarts], () => [element("span", {}, element("b", { text: whole(ledger.received) }), " received ="),
    ...counted.map(([name, tone]) => element("span", { class: `key ${tone}` }, element("b", { text: whole(ledger[name]) }), ` ${name.replace("_", " ")}`)),
    ...others.map(([name, count]) => element("span", {}, element("b", { text: whole(count) }), ` ${name}`))]);
  hide(parts.shardsPart, !mapping.shards.length);
  if (mapping.shards.length) redraw(parts, "shards", mapping.shards, () => [lineage(mapping.shards)]);
  redraw(parts, "failures", mapping.failures, () => [failures(mapping.failures)]);
}

function failures(list) {
  if (!list.length) return element("p", { class: "empty", text: "None are kept." });
  const body = element("tbody");
  for (const failure of list) {
    const what = element("td", { class: "what" }, element("span", { class: "bad", text: `${failure.outcome === "partial" ? "reported in batchItemFailures" : failure.outcome}${failure.error ? `: ${failure.error}` : ""}` }));
    if (failure.payload) what.append(element("pre", { text: failure.payload }));
    body.append(element("tr", {}, element("td", { text: clock(failure.at) }), element("td", { class: "number", text: whole(failure.count) }), what,
      element("td", { class: "ids" }, ...failure.ids.slice(0, 2).map((id) => element("span", { text: id, title: id })), failure.count > 2 ? " …" : "")));
  }
  const head = [["at", ""], ["events", "number"], ["what", ""], ["ids", ""]].map(([text, kind]) => element("th", { text, scope: "col", class: kind }));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), body);
}

export function unfold(name) {
  const parts = cards.get(name), closed = !parts.details.hidden;
  parts.details.hidden = closed;
  put(parts.open, "aria-expanded", String(!closed));
  if (!closed) detail(parts, parts.mapping, parts.mapping.ledger);
}

export function forget(names) {
  for (const [name, parts] of cards) if (!names.has(name)) { parts.root.remove(); cards.delete(name); pasts.delete(name); }
}

const rows = new Map();
export function showFunctions(functions) {
  const told = JSON.stringify(functions.map((one) => ({ ...one, asynchronous: null })));
  if (rows.told === told) return;
  rows.told = told;
  $("functions").replaceChildren(...functions.map((one) => element("tr", {}, element("td", { text: one.name }), element("td", { text: one.runtime }),
    element("td", {}, element("span", { class: "meter" }, element("progress", { max: one.concurrency, value: one.permits_held, "aria-label": `invocations of ${one.name}` }), `${one.permits_held} of ${one.concurrency}${one.settings && one.settings.reserved_concurrency != null ? " (reserved)" : ""}`)),
    element("td", { class: "number", text: whole(one.workers) }), element("td", { class: "number", text: whole(one.started_total) }), element("td", { class: one.problem ? "what bad" : "what", text: one.problem || (one.state === "not used yet" ? one.state : "") }))));
}

const due = (epoch) => (epoch == null ? "–" : new Date(epoch * 1000).toLocaleString([], { hour12: false }));
export function showSchedules(schedules) {
  const told = JSON.stringify(schedules);
  if (rows.schedulesTold === told) return;
  rows.schedulesTold = told;
  hide($("schedules-part"), !schedules.length);
  $("schedules").replaceChildren(...schedules.map((one) => element("tr", {}, element("td", { text: one.name }), element("td", { text: one.function }),
    element("td", { text: one.timezone === "UTC" ? one.expression : `${one.expression} ${one.timezone}` }), element("td", { text: one.state }),
    element("td", { text: due(one.next_due) }), element("td", { class: one.last_outcome === "failed" ? "bad" : "", text: one.last_due == null ? "–" : `${due(one.last_due)}, ${one.last_outcome}` }),
    element("td", { class: one.problem ? "what bad" : "what", text: one.problem || "" }))));
}

export function showExplanation(told) {
  say($("explanation-title"), told.moments.length ? `What happened to ${told.id}` : `Nothing is known of ${told.id}`);
  const tone = (what) => (/failed|expired|discarded|throttled|given up|lost|not /.test(what) ? "bad" : /accepted|deleted|checkpointed|done|ended|told/.test(what) ? "done" : /returned|retried/.test(what) ? "wait" : "water");
  $("moments").hidden = !told.moments.length;
  $("moments").replaceChildren(...told.moments.map((moment) => element("li", { class: tone(moment.what) },
    element("time", { text: `${clock(moment.at)} +${span(Math.max(0, moment.at - told.moments[0].at))}` }), element("b", { text: moment.what }), moment.detail)));
  const since = told.kept_since == null ? "Nothing is kept yet." : `What is kept begins at ${clock(told.kept_since)}.`;
  $("conclusions").replaceChildren(...(told.moments.length ? told.conclusions : [since]).map((text) => element("li", { text })));
  if (!$("explanation").open) $("explanation").showModal();
  return plural(told.moments.length, "moment");
}
