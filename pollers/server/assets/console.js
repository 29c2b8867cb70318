// The console: the past once, then one snapshot a second over one stream; control by plain POSTs.
import { cards, forget, remember, show, showExplanation, showFunctions, showSchedules, unfold } from "./cards.js";
import { showEvents } from "./events.js";
import { $, brief, element, hide, put, rate, say, span } from "./format.js";

const QUIET_MS = 8000, AGAIN_MS = 1500;
let token = sessionStorage.getItem("token") || "", asked = null;
// A link may bring the token in its fragment, which no browser sends; it does not stay in the address line or the history.
function fromLink() {
  const found = /^#token=([\w-]+)$/.exec(location.hash);
  if (!found) return;
  token = found[1];
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", location.pathname);
}
fromLink();
addEventListener("hashchange", fromLink);
const bearer = () => (token ? { Authorization: `Bearer ${token}` } : {});

// -- the whole page -------------------------------------------------------------------------------------------------
function pill(id, tone, text) {
  hide($(id), false);
  say($(id), text);
  put($(id), "class", `pill ${tone}`);
}

let problemsTold = "";
function draw(snapshot) {
  pill("connection", "good", "connected");
  pill("live", snapshot.live ? "good" : "bad", snapshot.live ? "live" : "not live");
  pill("ready", snapshot.ready ? "good" : "wait", snapshot.ready ? "ready" : snapshot.stopping ? "stopping" : "not ready");
  const sum = (pick) => snapshot.mappings.reduce((total, mapping) => total + pick(mapping), 0);
  say($("total-received"), rate(sum((mapping) => mapping.received_per_second)));
  say($("total-done"), rate(sum((mapping) => mapping.done_per_second)));
  say($("total-in-flight"), brief(sum((mapping) => mapping.ledger.in_flight)));
  say($("loop-lag"), span(snapshot.loop_lag_seconds));
  say($("uptime"), span(snapshot.now - snapshot.started_at));
  problems([...snapshot.problems, ...(snapshot.waiting_mappings || []).map((one) => ({ mapping: one.name, reason: `(${one.source} → ${one.function}) waits: ${one.reason}` }))]);
  snapshot.mappings.forEach((mapping) => show(mapping, toggle));
  forget(new Set(snapshot.mappings.map((mapping) => mapping.name)));
  hide($("nothing"), snapshot.mappings.length > 0);
  showFunctions(snapshot.functions);
  showSchedules(snapshot.schedules || []);
  showEvents(snapshot);
  document.title = snapshot.live ? "Headrace" : "! Headrace";
}

function problems(list) {
  const told = JSON.stringify(list.map((problem) => problem.mapping + problem.reason.replace(/[\d.]+ (ms|s|min|h)\b/g, "")));
  hide($("problems"), !list.length);
  const lines = list.map((problem) => [problem.mapping || "runtime", problem.reason]);
  if (told !== problemsTold) {
    problemsTold = told;
    $("problems").replaceChildren(...lines.map(([who, why]) => element("p", {}, element("b", { text: who }), " ", element("span", { text: why }))));
  } else lines.forEach(([, why], index) => say($("problems").children[index].lastChild, why));
}

async function change(path) {
  for (;;) {
    const reply = await fetch(path, { method: "POST", headers: bearer() });
    if (reply.status !== 401 || !(await signIn())) return reply;
  }
}

async function toggle(name) {
  const { toggle: button, sentence } = cards.get(name), verb = button.textContent.toLowerCase();
  button.disabled = true;
  try {
    const reply = await change(`api/mappings/${encodeURIComponent(name)}/${verb}`);
    if (!reply.ok) say(sentence, `${verb} refused: ${(await reply.json()).error}`);
  } catch {
    say(sentence, `${verb} did not reach Headrace`);
  } finally {
    button.disabled = false;
  }
}

// -- the stream: fetch rather than EventSource, which cannot send a token ---------------------------------------------
async function follow() {
  const giveUp = new AbortController();
  let timer = setTimeout(() => giveUp.abort(), QUIET_MS);
  try {
    const reply = await fetch("api/events", { headers: bearer(), cache: "no-store", signal: giveUp.signal });
    if (reply.status === 401) { clearTimeout(timer); await signIn(); return 0; }
    if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return AGAIN_MS;
      clearTimeout(timer);
      timer = setTimeout(() => giveUp.abort(), QUIET_MS);
      const events = (text + value).split("\n\n");
      text = events.pop();
      take(events.map((event) => /^event: (\w+)\ndata: (.*)$/s.exec(event)).filter(Boolean));
    }
  } finally {
    clearTimeout(timer);
  }
}

// Only the newest of several snapshots is drawn.
function take(events) {
  for (const [, kind, data] of events) if (kind === "series") remember(JSON.parse(data));
  const snapshots = events.filter(([, kind]) => kind === "snapshot");
  if (snapshots.length) draw(JSON.parse(snapshots[snapshots.length - 1][2]));
}

// Gives the token, empty when none is given. Asked for once, whoever needs it.
function signIn() {
  pill("connection", "wait", "token needed");
  $("sign-in-refused").hidden = !token;
  asked = asked || new Promise((resolve) => {
    $("sign-in").showModal();
    $("sign-in").addEventListener("close", () => {
      token = $("token").value.trim();
      $("token").value = "";
      sessionStorage.setItem("token", token);
      asked = null;
      resolve(token);
    }, { once: true });
  });
  return asked;
}

async function run() {
  for (;;) {
    let wait = AGAIN_MS;
    try { wait = await follow(); } catch { /* said below */ }
    if (wait) pill("connection", "bad", "reconnecting");
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

// -- explain ----------------------------------------------------------------------------------------------------------
$("explain-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = $("explain-id").value.trim();
  if (!id) return;
  try {
    const reply = await fetch(`api/explain/${encodeURIComponent(id)}`, { headers: bearer() });
    const told = await reply.json();
    showExplanation(reply.ok ? told : { id, moments: [], conclusions: [], kept_since: null });
  } catch { pill("connection", "bad", "reconnecting"); }
});

// -- keys and theme -------------------------------------------------------------------------------------------------
const NEXT = { system: "light", light: "dark", dark: "system" };
const chosen = () => localStorage.getItem("theme") || "system";
function theme() {
  if (chosen() === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen();
  say($("theme"), `theme: ${chosen()}`);
}
function nextTheme() {
  localStorage.setItem("theme", NEXT[chosen()]);
  theme();
}
$("theme").addEventListener("click", nextTheme);
$("help").addEventListener("click", () => $("keys").showModal());

function move(by) {
  const all = [...document.querySelectorAll(".mapping")], at = all.indexOf(document.activeElement.closest(".mapping"));
  all[Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input")) { if (event.key === "Escape") event.target.blur(); return; }
  const name = document.activeElement.closest(".mapping")?.dataset.name;
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "t") nextTheme();
  else if (event.key === "?") $("keys").showModal();
  else if (event.key === "/") $("explain-id").focus();
  else if (event.key === "p" && name) toggle(name);
  else if (event.key === "Enter" && name && event.target.matches(".mapping")) unfold(name);
  else return;
  event.preventDefault();
});
theme();
run();
