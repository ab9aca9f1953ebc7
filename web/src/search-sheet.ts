// A search: how its states grew with depth, which steps it took, what it checked and under which bounds.
import type { Part, Premises, SearchData } from "./data";
import { type Child, count, h, s } from "./dom";

export function searchView(search: SearchData): HTMLElement {
  return h(
    "main",
    { class: "search" },
    h("p", { class: "headline" }, search.headline),
    h("div", { class: "search-grid" }, h("div", {}, ...left(search)), h("div", {}, invariants(search.invariants), ...right(search))),
  );
}

function left({ levels: sizes, coverage: steps, parts }: SearchData): Child[] {
  const growth = sizes.length > 1 ? levels(sizes) : null;
  return parts ? [premises(parts.premises), growth, coverage(steps)] : [growth, coverage(steps)];
}

function right({ facts: listed, parts }: SearchData): Child[] {
  if (!parts) return [facts("Bounds, reductions, cost", listed)];
  return [part("One slot, which stands for all", parts.oneSlot), part("One replica, in any surroundings", parts.replica), facts("What is covered, bounds, cost", listed)];
}

/** The premises of the step from one slot to all: each with what it says and how many steps were compared. */
function premises({ rows, note }: Premises): HTMLElement {
  const shown = rows.map(([name, statement, steps, weaker]) =>
    h("tr", {}, h("td", { class: "premise" }, h("span", { class: "sign", "aria-hidden": "true" }, "✓"), name), h("td", {}, statement), h("td", { class: "number" }, count(steps), weaker ? h("div", { class: "remark" }, `${count(weaker)} in the weaker form`) : null)),
  );
  const head = h("tr", {}, h("th", { scope: "col" }, "premise"), h("th", { scope: "col" }, "what it says"), h("th", { scope: "col", class: "number" }, "steps compared"));
  return card("Premises, all of which hold", "premises", h("div", { class: "wide" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...shown))), h("p", { class: "remark" }, note));
}

function part(title: string, { verdict, facts: listed, run }: Part): HTMLElement {
  const steps = run.map(([message, state]) => h("li", {}, h("span", { class: "sent" }, message), h("div", { class: "remark" }, state)));
  return card(title, "part", h("p", {}, h("span", { class: `verdict ${verdict.replace(/\s/g, "-")}` }, verdict)), list(listed), steps.length ? h("ol", { class: "part-run" }, ...steps) : null);
}

function card(title: string, cls: string, ...children: Child[]): HTMLElement {
  return h("section", { class: `card ${cls}`, "aria-label": title }, h("h2", {}, title), ...children);
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [680, 230, 74, 34, 12];

function levels(sizes: number[]): HTMLElement {
  const most = Math.max(...sizes);
  const top = niceAbove(most);
  const step = (WIDTH - LEFT - 8) / sizes.length;
  const y = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / top;
  const svg = s("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `States by depth: ${sizes.length} levels, at most ${count(most)} states at depth ${sizes.indexOf(most) + 1}` });
  for (const tick of [0, top / 2, top]) {
    svg.append(s("line", { class: "grid", x1: LEFT, x2: WIDTH - 8, y1: y(tick), y2: y(tick) }), s("text", { class: "axis", x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, count(tick)));
  }
  const every = Math.ceil(sizes.length / 14);
  sizes.forEach((size, index) => {
    const x = LEFT + index * step;
    const bar = s("rect", { class: "bar", x: x + step * 0.12, width: Math.max(step * 0.76, 0.5), y: y(size), height: HEIGHT - BOTTOM - y(size) });
    bar.append(s("title", {}, `depth ${index + 1}: ${count(size)} states`));
    svg.append(bar);
    if (index % every === 0) svg.append(s("text", { class: "axis", x: x + step / 2, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(index + 1)));
  });
  svg.append(s("text", { class: "axis", x: (LEFT + WIDTH) / 2, y: HEIGHT - 2, "text-anchor": "middle" }, "depth"));
  const rows = sizes.map((size, index) => h("tr", {}, h("td", {}, String(index + 1)), h("td", {}, count(size))));
  const table = h("details", { class: "as-table" }, h("summary", {}, "as a table"), h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "depth"), h("th", {}, "states"))), h("tbody", {}, ...rows)));
  return card("Distinct states by depth", "levels", svg, table);
}

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 4, 5, 6, 8, 10].map((each) => each * power).find((each) => each >= value) ?? value;
}

function invariants(listed: SearchData["invariants"]): HTMLElement {
  const items = listed.map(([name, verdict, scope]) => h("li", { class: verdict }, h("span", { class: "sign", "aria-hidden": "true" }, { holds: "✓", violated: "✗" }[verdict] ?? "?"), name, h("span", { class: "verdict-word" }, scope ? (verdict === "inconclusive" ? "open" : `${verdict} ${scope}`) : verdict)));
  return card("Invariants", "invariants", h("ul", {}, ...items));
}

function coverage(listed: SearchData["coverage"]): HTMLElement {
  const most = Math.max(...listed.map((each) => each[2]), 1);
  const rows = listed.map(([role, message, taken, putOff, why]) => {
    const share = Math.log10(taken + 1) / Math.log10(most + 1);
    const bar = s("svg", { class: "share", width: 120, height: 10, viewBox: "0 0 120 10", "aria-hidden": "true" }, s("rect", { class: "bar", width: (share * 120).toFixed(1), height: 10, rx: 2 }));
    const note = why || (putOff ? `${count(putOff)} of them put off by deferral` : "");
    return h("tr", { class: taken ? "" : "untaken" }, h("td", {}, role), h("td", {}, message), h("td", { class: "number" }, count(taken)), h("td", {}, bar), h("td", { class: "remark" }, note));
  });
  const head = h("tr", {}, ...["role", "receives", "steps"].map((each) => h("th", { scope: "col" }, each)), h("th", { scope: "col", colspan: 2 }, "share, on a logarithmic scale"));
  return card("Steps taken", "coverage", h("div", { class: "wide" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows))));
}

function facts(title: string, listed: [string, string][]): HTMLElement {
  return card(title, "facts", list(listed));
}

function list(listed: [string, string][]): HTMLElement {
  return h("dl", {}, ...listed.flatMap(([label, text]) => [h("dt", {}, label), h("dd", {}, text)]));
}
