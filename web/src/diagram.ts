// The space-time diagram of the rows in sight: time runs downwards, a lifeline for each process, an arrow for each delivery.
import type { Columns } from "./columns";
import { s } from "./dom";
import type { Arrow, Rows } from "./rows";
import type { Run, RunEvent } from "./run";

export const ROW = 30;
const SHAPES = ["circle", "square", "triangle", "diamond", "pentagon", "star", "hexagon", "down"] as const;

export function ballotClass(ballot: number): string {
  return ballot < 0 ? "none" : `b${ballot % SHAPES.length}`;
}

/** The mark of a ballot: its shape goes with its colour, so that neither is needed to tell ballots apart. */
export function shape(ballot: number, x: number, y: number, r: number, extra = ""): SVGElement {
  const cls = `dot ${ballotClass(ballot)} ${extra}`;
  if (ballot < 0) return s("circle", { cx: x, cy: y, r: r * 0.8, class: cls });
  switch (SHAPES[ballot % SHAPES.length]) {
    case "square":
      return s("rect", { x: x - r * 0.9, y: y - r * 0.9, width: r * 1.8, height: r * 1.8, rx: 1, class: cls });
    case "triangle":
      return polygon(x, y, r * 1.25, 3, -90, cls);
    case "down":
      return polygon(x, y, r * 1.25, 3, 90, cls);
    case "diamond":
      return polygon(x, y, r * 1.25, 4, 0, cls);
    case "pentagon":
      return polygon(x, y, r * 1.15, 5, -90, cls);
    case "hexagon":
      return polygon(x, y, r * 1.1, 6, 0, cls);
    case "star":
      return star(x, y, r * 1.35, cls);
    default:
      return s("circle", { cx: x, cy: y, r, class: cls });
  }
}

function polygon(x: number, y: number, r: number, corners: number, turn: number, cls: string): SVGElement {
  const points = Array.from({ length: corners }, (_, corner) => at(x, y, r, turn + (360 / corners) * corner));
  return s("polygon", { points: points.join(" "), class: cls });
}

function star(x: number, y: number, r: number, cls: string): SVGElement {
  const points = Array.from({ length: 10 }, (_, corner) => at(x, y, corner % 2 ? r * 0.45 : r, -90 + 36 * corner));
  return s("polygon", { points: points.join(" "), class: cls });
}

function at(x: number, y: number, r: number, degrees: number): string {
  const turn = (degrees * Math.PI) / 180;
  return `${(x + r * Math.cos(turn)).toFixed(1)},${(y + r * Math.sin(turn)).toFixed(1)}`;
}

export interface Look {
  run: Run;
  rows: Rows;
  columns: Columns;
  current: number;
}

/** The picture of rows `first` to `last`; y is counted from the top of row `first`. */
export function picture(look: Look, first: number, last: number): SVGSVGElement {
  const { columns } = look;
  const height = (last - first + 1) * ROW;
  const svg = s("svg", { class: "picture", width: columns.width, height, viewBox: `0 0 ${columns.width} ${height}`, "aria-hidden": "true", focusable: "false" });
  const y = (row: number): number => (row - first + 0.5) * ROW;
  svg.append(...lifelines(look, first, last, y), ...arrows(look, first, last, y), ...dots(look, first, last, y));
  return svg;
}

type Y = (row: number) => number;

function* lifelines({ run, rows, columns }: Look, first: number, last: number, y: Y): Iterable<SVGElement> {
  const [top, bottom] = [y(first) - ROW / 2, y(last) + ROW / 2];
  for (const column of columns.list) {
    const process = run.processes[column.process];
    if (!process) continue;
    const pieces: [number, number, string][] = [];
    let from = process.owner >= 0 ? Infinity : -Infinity;
    let status = process.owner >= 0 ? "" : "running";
    for (const [event, next] of process.life) {
      const row = rows.rowAtOrBefore(event);
      if (status) pieces.push([from, row, status]);
      [from, status] = [row, next === "exited" ? "" : next];
    }
    if (status) pieces.push([from, Infinity, status]);
    for (const [start, end, how] of pieces) {
      const [y1, y2] = [Math.max(top, start === -Infinity ? top : y(start)), Math.min(bottom, end === Infinity ? bottom : y(end))];
      if (y2 > y1) yield s("line", { x1: column.x, x2: column.x, y1, y2, class: `lifeline ${how}` });
    }
  }
}

function* arrows(look: Look, first: number, last: number, y: Y): Iterable<SVGElement> {
  const { rows, run, current } = look;
  const event = run.event(current);
  const own = new Set(run.messagesOf(event).map((message) => message.id));
  const all = rows.arrows(first, last);
  const later: SVGElement[] = [];
  for (const each of all) {
    const drawn = arrow(look, each, y, own.has(each.message.id));
    if (drawn) {
      if (own.has(each.message.id)) later.push(drawn);
      else yield drawn;
    }
  }
  yield* later;
}

function arrow({ columns, run }: Look, { message, from, to, end }: Arrow, y: Y, own: boolean): SVGElement | undefined {
  const x2 = columns.x(message.to);
  const x1 = columns.x(message.from) ?? (x2 === undefined ? undefined : x2 - 30);
  if (x1 === undefined || x2 === undefined) return undefined;
  const past = message.sentAt >= 0 && isPast(run, message.sentAt) && message.receivedAt.some((at) => isPast(run, at) || run.event(at).marks.has("failing"));
  const cls = `arrow ${ballotClass(message.ballot)} ${end} kind-${message.kind}${own ? " own" : ""}${past ? " past" : ""}${inferred(run, message.sentAt) ? " inferred" : ""}`;
  const group = s("g", { class: cls, "data-message": message.id });
  group.append(s("title", {}, `${message.text}: ${run.name(message.from)} → ${run.name(message.to)}, ${run.fateText(message)}`));
  if (from >= 0 && to >= 0) whole(group, x1, y(from), x2, y(to), end);
  else if (to >= 0) whole(group, x2 + (x1 - x2) * 0.3 - (x1 === x2 ? 26 : 0), y(to) - ROW * 0.45, x2, y(to), end);
  else stub(group, x1, y(from), x2, end);
  return group;
}

function isPast(run: Run, event: number): boolean {
  return run.event(event).marks.has("past");
}

function inferred(run: Run, event: number): boolean {
  return event < 0 || run.event(event).inferred;
}

function whole(group: SVGElement, x1: number, y1: number, x2: number, y2: number, end: string): void {
  if (x1 === x2) {
    const bend = Math.min(34, 14 + (y2 - y1) * 0.2);
    group.append(s("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1},${x2 + bend} ${y2},${x2 + 6} ${y2}`, class: "line" }));
    finish(group, x2 + 6, y2, 180, end);
    return;
  }
  const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
  const [dx, dy] = unit(x1, y1, x2, y2);
  const cut = end === "lost" ? 16 : 7;
  const [ex, ey] = [x2 - dx * cut, y2 - dy * cut];
  group.append(s("line", { x1, y1, x2: ex, y2: ey, class: "line" }));
  finish(group, ex, ey, angle, end);
}

/** A message that never arrives: a short line towards its recipient, with an open end. */
function stub(group: SVGElement, x1: number, y1: number, x2: number, end: string): void {
  const length = x1 === x2 ? 22 : Math.sign(x2 - x1) * Math.max(18, Math.min(110, Math.abs(x2 - x1) * 0.3));
  const [ex, ey] = [x1 + length, y1 + ROW * 0.36];
  group.append(s("line", { x1, y1, x2: ex, y2: ey, class: "line" }));
  finish(group, ex, ey, 0, end);
}

function finish(group: SVGElement, x: number, y: number, angle: number, end: string): void {
  if (end === "lost") group.append(s("path", { d: `M${x - 5} ${y - 5}l10 10m0 -10l-10 10`, class: "cross" }));
  else if (end === "pending") group.append(s("circle", { cx: x, cy: y, r: 3.2, class: "open" }));
  else if (end === "received" || end === "again") {
    group.append(s("path", { d: "M0 0L-8 -3.6L-8 3.6Z", class: "head", transform: `translate(${x} ${y}) rotate(${angle})` }));
    if (end === "again") group.append(s("text", { x: x - 12 * Math.cos((angle * Math.PI) / 180), y: y - 8, class: "twice", "text-anchor": "middle" }, "×2"));
  }
}

function unit(x1: number, y1: number, x2: number, y2: number): [number, number] {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  return [(x2 - x1) / length, (y2 - y1) / length];
}

function* dots(look: Look, first: number, last: number, y: Y): Iterable<SVGElement> {
  const { run, rows, columns, current } = look;
  for (let row = first; row <= last; row++) {
    const index = rows.events[row];
    if (index === undefined) continue;
    const event = run.event(index);
    const own = index === current;
    for (const process of places(run, event, columns)) {
      const x = columns.x(process);
      if (x === undefined) continue;
      if (process !== event.process) yield s("circle", { cx: x, cy: y(row), r: 2.6, class: "touch" });
      else yield* mark(run, event, x, y(row), own);
    }
  }
}

/** The lifelines that an event is on: its own process's, and those of processes that send in it, start or exit. */
function places(run: Run, event: RunEvent, columns: Columns): number[] {
  if (event.index === 0) return columns.list.filter((column) => run.processes[column.process]?.owner === -1).map((column) => column.process);
  const others = [...event.changes.map((change) => change[0]), ...event.sends.map((id) => run.messages[id]?.from ?? -1)];
  const shown = others.filter((process) => process >= 0 && process !== event.process && columns.x(process) !== columns.x(event.process));
  return [...new Set(shown), event.process];
}

function* mark(run: Run, event: RunEvent, x: number, y: number, own: boolean): Iterable<SVGElement> {
  const failing = event.marks.has("failing");
  if (own) yield failing ? s("rect", { x: x - 13, y: y - 13, width: 26, height: 26, rx: 4, class: "halo failing" }) : s("circle", { cx: x, cy: y, r: 13, class: "halo" });
  if (event.marks.has("decision")) yield s("circle", { cx: x, cy: y, r: 9.5, class: "decision" });
  if (event.kind === "crash") yield s("path", { d: `M${x - 6} ${y - 6}l12 12m0 -12l-12 12`, class: "crash" });
  else if (event.kind === "restart") yield s("path", { d: `M${x + 5} ${y - 4}A6.5 6.5 0 1 0 ${x + 6.5} ${y + 1}m0.5 -7.5l-1 5.5l-5 -1.6`, class: "restart" });
  else if (event.kind === "drop") yield s("circle", { cx: x, cy: y, r: 3, class: "dropped" });
  else if (event.kind === "end") yield s("path", { d: `M${x - 7} ${y}h14`, class: "ended" });
  else yield shape(run.about(event)?.ballot ?? -1, x, y, event.kind === "send" ? 4.4 : 5.6, `${event.kind}${event.inferred ? " inferred" : ""}`);
  if (failing) yield s("rect", { x: x - 13, y: y - 13, width: 26, height: 26, rx: 4, class: "failing-frame" });
}
