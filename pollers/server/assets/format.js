// Numbers and durations for people, and elements without a framework.
const SVG = "http://www.w3.org/2000/svg";
export const $ = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Written only when it changes: what does not change is neither drawn again nor announced again, and stays selected.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function put(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function hide(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const whole = (n) => (n == null ? "–" : grouped.format(n));
export const brief = (n) => (n == null ? "–" : n >= 1e6 ? `${(n / 1e6).toFixed(1)}M` : n >= 1e5 ? `${(n / 1e3).toFixed(0)}k` : whole(n));
export const rate = (n) => (n == null ? "–" : `${n >= 100 ? brief(n) : n >= 10 || n === 0 ? n.toFixed(0) : n.toFixed(1)}/s`);
export const plural = (n, noun) => `${whole(n)} ${noun}${n === 1 ? "" : "s"}`;

export function span(seconds) {
  if (seconds == null) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} d`;
}

export const clock = (epoch) => new Date(epoch * 1000).toLocaleTimeString([], { hour12: false });
