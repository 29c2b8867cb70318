// Shards and their lineage as a picture: parents to the left of their children, each child beside its parents.
import { element, span } from "./format.js";

const WIDTH = 150, HEIGHT = 40, GAP_X = 46, GAP_Y = 10, AT_MOST = 96;

// "shardId-000000000012" is what people call shard 12; longer ids end in what tells them apart.
function short(id) {
  const numbered = /^shardId-0*(\d{1,6})$/.exec(id);
  if (numbered) return `shard ${numbered[1]}`;
  return id.length > 18 ? `…${id.slice(-16)}` : id;
}

function generations(shards) {
  const byId = new Map(shards.map((shard) => [shard.id, shard])), depths = new Map();
  const depth = (id, path) => {
    if (depths.has(id)) return depths.get(id);
    if (path.includes(id)) return 0;
    const parents = byId.get(id).parents.filter((parent) => byId.has(parent));
    const found = parents.length ? 1 + Math.max(...parents.map((parent) => depth(parent, [...path, id]))) : 0;
    depths.set(id, found);
    return found;
  };
  const columns = [];
  for (const shard of shards) (columns[depth(shard.id, [])] ??= []).push(shard);
  return columns.filter(Boolean);
}

// Each generation in the order of its parents' middles, moved down as far as its parents are, never onto one another.
function places(columns) {
  const found = new Map();
  columns.forEach((column, index) => {
    const wanted = (shard) => {
      const known = shard.parents.filter((parent) => found.has(parent)).map((parent) => found.get(parent).row);
      return known.length ? known.reduce((sum, row) => sum + row, 0) / known.length : Infinity;
    };
    const ordered = column.map((shard) => [wanted(shard), shard]).sort(([a, one], [b, other]) => a - b || (one.id < other.id ? -1 : 1));
    let free = 0;
    ordered.forEach(([row, shard], place) => {
      const siblings = ordered.filter(([other]) => other === row).length;
      const at = index && row !== Infinity ? Math.max(free, row - (siblings - 1) / 2) : Math.max(free, index ? 0 : place);
      found.set(shard.id, { column: index, row: at });
      free = at + 1;
    });
  });
  return found;
}

function state(shard, byId) {
  if (shard.ended) return ["ended", "ended"];
  if (shard.elsewhere) return ["waiting", "another replica"];
  if (shard.behind != null) return ["open", shard.behind ? `${span(shard.behind)} behind` : "at the tip"];
  const waits = shard.parents.some((parent) => byId.has(parent) && !byId.get(parent).ended);
  return waits ? ["waiting", "waits for its parent"] : ["open", "open"];
}

export function lineage(all) {
  const shards = all.length > AT_MOST ? [...all].sort((a, b) => a.ended - b.ended || (b.behind ?? 0) - (a.behind ?? 0)).slice(0, AT_MOST) : all;
  const byId = new Map(shards.map((shard) => [shard.id, shard])), columns = generations(shards), at = places(columns);
  const left = (place) => place.column * (WIDTH + GAP_X) + 1, upper = (place) => place.row * (HEIGHT + GAP_Y) + 1;
  const width = columns.length * (WIDTH + GAP_X) - GAP_X + 2, height = (Math.max(...[...at.values()].map((place) => place.row)) + 1) * (HEIGHT + GAP_Y) - GAP_Y + 2;
  const told = shards.map((shard) => `${short(shard.id)} ${state(shard, byId)[1]}${shard.parents.length ? `, from ${shard.parents.map(short).join(" and ")}` : ""}`).join("; ");
  const drawing = element("svg:svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Lineage of ${shards.length} shards: ${told}` });
  for (const shard of shards) for (const parent of shard.parents.filter((id) => at.has(id))) {
    const x1 = left(at.get(parent)) + WIDTH, y1 = upper(at.get(parent)) + HEIGHT / 2, x2 = left(at.get(shard.id)), y2 = upper(at.get(shard.id)) + HEIGHT / 2, bend = (x2 - x1) / 2;
    drawing.append(element("svg:path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }), element("svg:circle", { cx: x2, cy: y2, r: 2.5 }));
  }
  for (const shard of shards) {
    const x = left(at.get(shard.id)), y = upper(at.get(shard.id)), [kind, words] = state(shard, byId);
    drawing.append(element("svg:g", { class: kind }, element("svg:title", { text: shard.id }),
      element("svg:rect", { x, y, width: WIDTH, height: HEIGHT, rx: 9 }),
      element("svg:text", { x: x + 10, y: y + 17, text: short(shard.id) }), element("svg:text", { x: x + 10, y: y + 32, class: "state", text: words })));
  }
  return drawing;
}
