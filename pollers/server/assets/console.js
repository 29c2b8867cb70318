// The console: one snapshot a second, drawn into elements that stay, so that focus and open details survive.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const cards = new Map();
let token = sessionStorage.getItem("token") || "";

function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const brief = (n) => n == null ? "–" : n >= 1e6 ? (n / 1e6).toFixed(1) + "M" : n >= 1e4 ? (n / 1e3).toFixed(1) + "k" : whole.format(n);
const rate = (n) => n == null ? "–" : (n >= 100 ? whole.format(n) : n.toFixed(1)) + "/s";
function span(seconds) {
  if (seconds == null) return "–";
  if (seconds < 0.001) return (seconds * 1e6).toFixed(0) + " µs";
  if (seconds < 1) return (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0) + " ms";
  if (seconds < 120) return seconds.toFixed(1) + " s";
  if (seconds < 7200) return (seconds / 60).toFixed(0) + " min";
  return seconds < 172800 ? (seconds / 3600).toFixed(1) + " h" : (seconds / 86400).toFixed(1) + " d";
}

// -- charts ---------------------------------------------------------------------------------------------------------
const WIDTH = 180, HEIGHT = 44;
function line(values, top) {
  const step = WIDTH / 179, start = 180 - values.length;
  let path = "", pen = "M";
  values.forEach((value, index) => {
    if (value == null) { pen = "M"; return; }
    path += `${pen}${((start + index) * step).toFixed(2)} ${(HEIGHT - 2 - (value / top) * (HEIGHT - 6)).toFixed(2)}`;
    pen = "L";
  });
  return path;
}
function chart(kind, title) {
  const value = element("b", { text: "–" });
  const area = element("svg:path", { class: "area" }), edge = element("svg:path", { class: "edge" }), second = element("svg:path", { class: "edge second" });
  const base = element("svg:line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 });
  const drawing = element("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, base, area, edge, second);
  const caption = element("span", { text: title });
  const figure = element("figure", { class: `chart ${kind}` }, element("figcaption", {}, caption, value), drawing);
  return {
    figure,
    draw(values, shown, others, name) {
      if (name) caption.textContent = name;
      const top = Math.max(1e-9, ...values.map((v) => v ?? 0), ...(others || []).map((v) => v ?? 0));
      const path = line(values, top);
      edge.setAttribute("d", path);
      second.setAttribute("d", others ? line(others, top) : "");
      const from = ((180 - values.length) * WIDTH / 179).toFixed(2);
      area.setAttribute("d", path && !values.includes(null) ? `${path}L${WIDTH} ${HEIGHT}L${from} ${HEIGHT}Z` : "");
      value.textContent = shown;
      drawing.setAttribute("aria-label", `${caption.textContent} over the last 15 minutes, now ${shown}`);
    },
  };
}

// -- shards ---------------------------------------------------------------------------------------------------------
function lineage(shards) {
  const byId = new Map(shards.map((shard) => [shard.id, shard]));
  const depths = new Map();
  const depth = (id, seen = new Set()) => {
    if (depths.has(id)) return depths.get(id);
    if (seen.has(id)) return 0;
    seen.add(id);
    const parents = (byId.get(id).parents || []).filter((parent) => byId.has(parent));
    const found = parents.length ? 1 + Math.max(...parents.map((parent) => depth(parent, seen))) : 0;
    depths.set(id, found);
    return found;
  };
  const columns = [];
  for (const shard of [...shards].sort((a, b) => (a.id < b.id ? -1 : 1))) (columns[depth(shard.id)] ??= []).push(shard);
  const boxWidth = 176, boxHeight = 36, gapX = 44, gapY = 12, places = new Map();
  columns.forEach((column, x) => column.forEach((shard, y) => places.set(shard.id, [x * (boxWidth + gapX) + 1, y * (boxHeight + gapY) + 1])));
  const width = columns.length * (boxWidth + gapX), height = Math.max(...columns.map((c) => c.length)) * (boxHeight + gapY);
  const drawing = element("svg:svg", { width, height, role: "img", "aria-label": `${shards.length} shards and their lineage` });
  for (const shard of shards) for (const parent of shard.parents || []) {
    if (!places.has(parent)) continue;
    const [x1, y1] = places.get(parent), [x2, y2] = places.get(shard.id), a = x1 + boxWidth, b = y1 + boxHeight / 2, c = y2 + boxHeight / 2;
    drawing.append(element("svg:path", { d: `M${a} ${b}C${a + gapX / 2} ${b} ${x2 - gapX / 2} ${c} ${x2} ${c}` }));
  }
  for (const shard of shards) {
    const [x, y] = places.get(shard.id), short = shard.id.length > 24 ? "…" + shard.id.slice(-22) : shard.id;
    const state = shard.ended ? "ended" : shard.behind == null ? "not read yet" : shard.behind ? span(shard.behind) + " behind" : "at the tip";
    drawing.append(element("svg:g", { class: shard.ended ? "ended" : "open" },
      element("svg:title", { text: shard.id }),
      element("svg:rect", { x, y, width: boxWidth, height: boxHeight, rx: 8 }),
      element("svg:text", { x: x + 8, y: y + 15, text: short }), element("svg:text", { x: x + 8, y: y + 29, class: "soft", text: state })));
  }
  return drawing;
}

// -- mappings -------------------------------------------------------------------------------------------------------
const TONES = { running: "good", paused: "wait", starting: "wait", stopping: "wait", "backing off": "bad" };
function card(name) {
  const parts = {
    state: element("span", { class: "pill" }), source: element("div", { class: "source" }), sentence: element("p", { class: "sentence" }),
    figures: element("dl", { class: "figures" }), ledger: element("div", { class: "ledger" }),
    failures: element("div", {}), shards: element("div", { class: "shards scroll" }),
    toggle: element("button", { type: "button", text: "pause", onclick: () => toggle(name) }),
    open: element("button", { type: "button", text: "details", "aria-expanded": "false", onclick: () => unfold(name) }),
    throughput: chart("throughput", "received, done"), latency: chart("latency", "p50, p95"),
    lag: chart("lag", "depth"), failed: chart("failures", "failures"),
  };
  parts.details = element("div", { class: "details", hidden: "" }, parts.ledger, parts.shards, parts.failures);
  parts.root = element("article", { class: "mapping", tabindex: "0", "data-name": name, "aria-label": name },
    element("div", { class: "top" }, element("h2", { text: name }), parts.state, element("div", { class: "actions" }, parts.toggle, parts.open)),
    parts.source, parts.sentence, parts.figures,
    element("div", { class: "charts" }, parts.throughput.figure, parts.latency.figure, parts.lag.figure, parts.failed.figure), parts.details);
  $("mappings").append(parts.root);
  cards.set(name, parts);
  return parts;
}

function figure(name, value, bad) {
  return element("div", { class: "figure" }, element("dt", { text: name }), element("dd", { text: value, class: bad ? "bad" : "" }));
}

function show(mapping) {
  const parts = cards.get(mapping.name) || card(mapping.name), ledger = mapping.ledger, series = mapping.series, last = (list) => list[list.length - 1];
  parts.mapping = mapping;
  parts.state.textContent = mapping.state;
  parts.state.className = "pill " + (TONES[mapping.state] || "");
  parts.source.textContent = `${mapping.source} → ${mapping.function}`;
  parts.source.title = parts.source.textContent;
  parts.sentence.textContent = mapping.sentence;
  parts.toggle.textContent = mapping.state === "paused" || mapping.state === "disabled" ? "resume" : "pause";
  const done = ledger.deleted + ledger.checkpointed + ledger.discarded;
  parts.figures.replaceChildren(
    figure("received", brief(ledger.received)), figure("done", brief(done)), figure("in flight", brief(ledger.in_flight)),
    figure("failed", brief(ledger.failed), ledger.failed > 0), figure("p50", span(mapping.latency_seconds.p50)),
    figure("p95", span(mapping.latency_seconds.p95)), figure("p99", span(mapping.latency_seconds.p99)),
    mapping.depth ? figure("depth", brief(mapping.depth.visible)) : figure("iterator age", span(mapping.iterator_age_seconds)));
  parts.throughput.draw(series.received, rate(mapping.done_per_second), series.done);
  parts.latency.draw(series.p95, span(mapping.latency_seconds.p95), null, "p95 latency");
  if (mapping.kind.startsWith("sqs")) parts.lag.draw(series.depth, brief(last(series.depth)), null, "queue depth");
  else parts.lag.draw(series.iterator_age, span(last(series.iterator_age)), null, "iterator age");
  parts.failed.draw(series.failed, brief(mapping.failed_recently), null, "failures");
  if (parts.details.hidden) return;
  parts.ledger.replaceChildren(element("b", { text: ledger.balanced ? "The books balance. " : "The books do not balance. " }),
    `${whole.format(ledger.received)} received = ${whole.format(ledger.deleted)} deleted + ${whole.format(ledger.checkpointed)} checkpointed + ` +
    `${whole.format(ledger.discarded)} discarded + ${whole.format(ledger.returned)} returned + ${whole.format(ledger.expired)} expired + ` +
    `${whole.format(ledger.in_flight)} in flight; ${whole.format(ledger.filtered)} filtered, ${whole.format(ledger.extended)} extensions, ` +
    `${whole.format(ledger.deletes_retried)} deletes retried, ${mapping.restarts} restarts`);
  parts.shards.hidden = !mapping.shards.length;
  if (mapping.shards.length) parts.shards.replaceChildren(lineage(mapping.shards));
  parts.failures.replaceChildren(failures(mapping.failures));
}

function failures(list) {
  if (!list.length) return element("p", { class: "empty", text: "No failures kept." });
  const body = element("tbody");
  for (const failure of list) {
    const what = element("td", { class: "bad", text: `${failure.outcome}: ${failure.error || ""}` });
    if (failure.payload) what.append(element("pre", { text: failure.payload }));
    body.append(element("tr", {}, element("td", { text: new Date(failure.at * 1000).toLocaleTimeString() }), element("td", { text: `${failure.count}` }), what,
      element("td", { text: failure.ids.slice(0, 3).join(", ") + (failure.count > 3 ? " …" : "") })));
  }
  const head = element("thead", {}, element("tr", {}, ...["at", "events", "what", "ids"].map((text) => element("th", { text }))));
  return element("div", { class: "scroll" }, element("table", {}, head, body));
}

function unfold(name) {
  const parts = cards.get(name), closed = !parts.details.hidden;
  parts.details.hidden = closed;
  parts.open.setAttribute("aria-expanded", String(!closed));
  show(parts.mapping);
}

async function toggle(name) {
  const verb = cards.get(name).toggle.textContent;
  const reply = await fetch(`api/mappings/${encodeURIComponent(name)}/${verb}`, { method: "POST", headers: bearer() });
  if (!reply.ok) cards.get(name).sentence.textContent = `${verb} refused: ${(await reply.json()).error}`;
}

// -- the whole page -------------------------------------------------------------------------------------------------
function pill(id, good, yes, no) {
  $(id).textContent = good ? yes : no;
  $(id).className = "pill " + (good ? "good" : "bad");
}

function draw(snapshot) {
  pill("live", snapshot.live, "live", "not live");
  pill("ready", snapshot.ready, "ready", "not ready");
  const sum = (pick) => snapshot.mappings.reduce((total, mapping) => total + pick(mapping), 0);
  $("total-received").textContent = rate(sum((m) => m.received_per_second));
  $("total-done").textContent = rate(sum((m) => m.done_per_second));
  $("total-in-flight").textContent = brief(sum((m) => m.ledger.in_flight));
  $("loop-lag").textContent = span(snapshot.loop_lag_seconds);
  $("uptime").textContent = span(snapshot.now - snapshot.started_at);
  $("problems").hidden = !snapshot.problems.length;
  $("problems").replaceChildren(...snapshot.problems.map((p) => element("p", { text: `${p.mapping || "runtime"}: ${p.reason}` })));
  snapshot.mappings.forEach(show);
  const names = new Set(snapshot.mappings.map((mapping) => mapping.name));
  for (const [name, parts] of cards) if (!names.has(name)) { parts.root.remove(); cards.delete(name); }
  $("functions").replaceChildren(...snapshot.functions.map((f) => element("tr", {},
    ...[f.name, f.runtime, f.busy, f.workers, f.concurrency, f.started_total].map((text) => element("td", { text: String(text) })), element("td", { class: "bad", text: f.problem || "" }))));
}

// -- the stream: fetch rather than EventSource, which cannot send a token ---------------------------------------------
const bearer = () => (token ? { Authorization: `Bearer ${token}` } : {});
async function follow() {
  const reply = await fetch("api/events", { headers: bearer(), cache: "no-store" });
  if (reply.status === 401) { await signIn(); return; }
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  pill("connection", true, "connected", "");
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("closed");
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    if (events.length) draw(JSON.parse(events[events.length - 1].slice(6)));
  }
}
function signIn() {
  $("sign-in").showModal();
  return new Promise((resolve) => $("sign-in").addEventListener("close", () => {
    token = $("token").value.trim();
    sessionStorage.setItem("token", token);
    resolve();
  }, { once: true }));
}
async function run() {
  for (;;) {
    try { await follow(); } catch { pill("connection", false, "", "reconnecting"); }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

// -- keys and theme -------------------------------------------------------------------------------------------------
function theme(next) {
  if (next) localStorage.setItem("theme", next);
  const chosen = localStorage.getItem("theme") || "system";
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  $("theme").textContent = `theme: ${chosen}`;
}
const cycle = { system: "light", light: "dark", dark: "system" };
const nextTheme = () => theme(cycle[localStorage.getItem("theme") || "system"]);
$("theme").addEventListener("click", nextTheme);
$("help").addEventListener("click", () => $("keys").showModal());
function move(by) {
  const all = [...document.querySelectorAll(".mapping")], at = all.indexOf(document.activeElement.closest(".mapping"));
  all[Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input") || document.querySelector("dialog[open]")) return;
  const name = document.activeElement.closest(".mapping")?.dataset.name;
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "t") nextTheme();
  else if (event.key === "?") $("keys").showModal();
  else if (event.key === "p" && name) toggle(name);
  else if (event.key === "Enter" && name && event.target.matches(".mapping")) unfold(name);
  else return;
  event.preventDefault();
});
theme();
run();
