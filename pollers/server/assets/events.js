// Asynchronous events: one row a function that has had any. Cells stay and are written into, as cards are.
import { $, clock, element, hide, plural, put, say, span, whole } from "./format.js";

const COLUMNS = [["queued", (one) => whole(one.queued)], ["oldest", (one) => span(one.oldest_seconds)], ["running", (one) => whole(one.running)], ["succeeded", (one) => whole(one.succeeded)],
  ["failed", (one) => whole(one.failed), "bad"], ["dropped", (one) => whole(one.dropped), "bad"], ["reporting", (one) => whole(one.reporting)]];
const lines = new Map();

function line(name) {
  const cells = COLUMNS.map(() => element("td", { class: "number" })), error = element("td", { class: "what" });
  const made = { root: element("tr", { "data-function": name }, element("td", { text: name }), ...cells, error), cells, error };
  $("events").append(made.root);
  lines.set(name, made);
  return made;
}

export function showEvents(snapshot) {
  const queue = snapshot.asynchronous, functions = snapshot.functions.filter((one) => one.asynchronous);
  hide($("asynchronous"), !queue);
  if (!queue) return;
  const full = (queue.bytes / queue.limit_bytes * 100).toFixed(0);
  say($("asynchronous-queue"), `${plural(queue.depth, "event")} queued, ${whole(queue.running)} running, ${full} % of the room taken${queue.balanced ? "" : "; the books do not balance"}`);
  put($("asynchronous-queue"), "class", queue.balanced ? "sentence" : "sentence bad");
  for (const { name, asynchronous: one } of functions) {
    const { cells, error } = lines.get(name) || line(name);
    COLUMNS.forEach(([column, spelled, tone], index) => {
      say(cells[index], spelled(one));
      put(cells[index], "class", tone && one[column] ? `number ${tone}` : "number");
    });
    say(error, one.last_error == null ? "" : `${clock(one.last_error_at)} ${one.last_error}`);
  }
  const names = new Set(functions.map((one) => one.name));
  for (const [name, { root }] of lines) if (!names.has(name)) { root.remove(); lines.delete(name); }
  notices(queue.notices);
}

function notices(list) {
  const kept = $("notices").children;
  if (kept.length !== list.length) $("notices").replaceChildren(...list.map(() => element("p", { class: "sentence wait" })));
  list.forEach((notice, index) => say(kept[index], `${notice.mapping}: ${notice.reason}`));
}
