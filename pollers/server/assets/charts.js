// Small charts of fifteen minutes in buckets of five seconds: zero at the bottom, the scale's top written, gaps where nothing is known.
import { $, element, put, say } from "./format.js";

const BUCKETS = 180, SECONDS = 5, HEIGHT = 100, SPANS = [24, 60, 120, BUCKETS];

// The smallest 1, 2 or 5 times a power of ten that is no less; counts get no fractions.
function top(most, least) {
  const wanted = Math.max(most, least), power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= wanted * 0.999);
}

// Fifteen minutes, or as much of them as there is something to show of.
const wide = (length) => SPANS.find((span) => span >= length) || BUCKETS;
const x = (index, length) => wide(length) - length + index + 0.5;
const y = (value, scale) => HEIGHT - (value / scale) * (HEIGHT - 8);

// Stretches without gaps; one bucket alone is a dot.
function stretches(values) {
  const found = [];
  values.forEach((value, index) => {
    if (value == null) return;
    if (index && values[index - 1] != null) found[found.length - 1].push(index);
    else found.push([index]);
  });
  return found;
}

function line(values, scale) {
  return stretches(values).map((run) => run.length === 1
    ? `M${x(run[0], values.length)} ${y(values[run[0]], scale).toFixed(1)}h.01`
    : `M${run.map((i) => `${x(i, values.length)} ${y(values[i], scale).toFixed(1)}`).join("L")}`).join("");
}

function area(values, scale) {
  return stretches(values).filter((run) => run.length > 1).map((run) =>
    `M${x(run[0], values.length)} ${HEIGHT}L${run.map((i) => `${x(i, values.length)} ${y(values[i], scale).toFixed(1)}`).join("L")}L${x(run[run.length - 1], values.length)} ${HEIGHT}Z`).join("");
}

function bars(values, scale) {
  return values.map((value, index) => (value ? `M${(x(index, values.length) - 0.42).toFixed(2)} ${HEIGHT}V${y(value, scale).toFixed(1)}h.84V${HEIGHT}Z` : "")).join("");
}

// `parts`: [name, tone] for each line; the first is filled unless `plain`. `shown` writes a value, `least` is the scale's least top.
export function chart(title, parts, shown, { barred = false, plain = false, least = 1 } = {}) {
  const keys = parts.map(([name, tone]) => ({ name, value: element("b", { text: "–" }), caption: element("span", { class: `key ${tone}` }) }));
  for (const key of keys) key.caption.append(`${key.name} `, key.value);
  const paths = parts.map(([, tone], index) => ({
    area: !barred && !plain && !index ? element("svg:path", { class: `area ${tone}` }) : null,
    line: element("svg:path", { class: `${barred ? "bars" : "line"} ${tone}` }),
  }));
  const drawing = element("svg:svg", { viewBox: `0 0 ${BUCKETS} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    ...paths.flatMap((path) => [path.area, path.line].filter(Boolean)));
  const label = element("span", { class: "top-label", "aria-hidden": "true" }), cursor = element("span", { class: "cursor", hidden: "" });
  const plot = element("div", { class: "plot" }, drawing, label, cursor);
  const axis = element("div", { class: "axis", "aria-hidden": "true" }, element("span"), element("span", { text: "now" }));
  const figure = element("figure", { class: "chart" }, element("figcaption", {}, ...keys.map((key) => key.caption)), plot, axis);
  let columns = parts.map(() => []);
  plot.addEventListener("pointermove", (event) => point(event, plot, cursor, columns, keys, shown));
  plot.addEventListener("pointerleave", () => { cursor.hidden = true; $("tip").hidden = true; });
  return {
    figure,
    // One column and one present value for each part.
    draw(drawn, now) {
      columns = drawn;
      const width = wide(drawn[0].length), minutes = (width * SECONDS) / 60;
      put(drawing, "viewBox", `0 0 ${width} ${HEIGHT}`);
      say(axis.firstChild, `${minutes} min ago`);
      const scale = top(Math.max(0, ...drawn.flat().map((value) => value ?? 0)), least);
      paths.forEach((path, index) => {
        put(path.line, "d", barred ? bars(drawn[index], scale) : line(drawn[index], scale));
        if (path.area) put(path.area, "d", area(drawn[index], scale));
      });
      say(label, shown(scale));
      keys.forEach((key, index) => say(key.value, shown(now[index])));
      put(drawing, "aria-label", `${title} over the last ${minutes} minutes, up to ${shown(scale)}; now ${keys.map((key, i) => `${key.name} ${shown(now[i])}`).join(", ")}`);
    },
  };
}

function point(event, plot, cursor, columns, keys, shown) {
  const width = wide(columns[0].length), box = plot.getBoundingClientRect(), bucket = Math.floor(((event.clientX - box.left) / box.width) * width);
  const index = bucket - (width - columns[0].length), tip = $("tip");
  if (index < 0 || index >= columns[0].length) { cursor.hidden = tip.hidden = true; return; }
  const ago = (columns[0].length - 1 - index) * SECONDS;
  cursor.hidden = tip.hidden = false;
  cursor.style.left = `${((bucket + 0.5) / width) * 100}%`;
  say(tip, `${ago < 60 ? `${ago} s` : `${Math.floor(ago / 60)} min ${ago % 60} s`} ago: ${keys.map((key, i) => `${key.name} ${shown(columns[i][index])}`).join(", ")}`);
  const left = Math.min(Math.max(4, event.clientX - tip.offsetWidth / 2), window.innerWidth - tip.offsetWidth - 4);
  tip.style.left = `${left}px`;
  tip.style.top = `${box.top - tip.offsetHeight - 6}px`;
}

// A mapping's columns, grown by the end that each snapshot brings.
export function merged(known, recent) {
  if (!known || recent.first > known.first + known.received.length || recent.first < known.first) return recent;
  for (const [name, values] of Object.entries(recent)) {
    if (name === "first") continue;
    values.forEach((value, index) => { known[name][recent.first + index - known.first] = value; });
  }
  const over = known.received.length - BUCKETS;
  if (over > 0) {
    for (const [name, values] of Object.entries(known)) if (name !== "first") values.splice(0, over);
    known.first += over;
  }
  return known;
}
