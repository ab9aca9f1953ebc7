// Where lifelines stand: grouped by role, scouts and commanders under their leader until it is unfolded.
import type { Process, Run } from "./run";

export interface Column {
  process: number;
  x: number;
  /** Its width. */
  step: number;
  group: string;
  /** For a leader: how many scouts and commanders it has. */
  owned: number;
  unfolded: boolean;
}

const ORDER = ["client", "replica", "leader", "acceptor"];
const OWNED_MAX = 16;
const GAP = 15;
/** A leader's name has a button beside it. */
const LEADER_MIN = 76;
/** The title of a role stands over its only process. */
const ALONE_MIN = 92;

export class Columns {
  readonly list: Column[] = [];
  readonly width: number;
  readonly step: number;
  private readonly of: (Column | undefined)[];
  /** Leaders whose scouts and commanders are too many to have a column each: only those that live in the window have one. */
  readonly depends: boolean;

  constructor(run: Run, hidden: Set<number>, unfolded: Set<number>, available: number, window: [number, number]) {
    const shown = ordered(run, hidden, unfolded, window);
    const sizes = new Map<string, number>();
    for (const each of shown) sizes.set(group(run, each), (sizes.get(group(run, each)) ?? 0) + 1);
    const owners = new Set(run.processes.map((each) => each.owner));
    const least = (each: Process): number => (sizes.get(group(run, each)) === 1 ? ALONE_MIN : owners.has(each.id) ? LEADER_MIN : 0);
    const room = available - GAP * (sizes.size + 1);
    const even = room / Math.max(shown.length, 1);
    const wide = shown.map(least).filter((width) => width > even);
    const fits = (room - wide.reduce((sum, width) => sum + width, 0)) / Math.max(shown.length - wide.length, 1);
    this.step = Math.max(46, Math.min(132, fits));
    this.of = new Array<Column | undefined>(run.processes.length);
    let x = GAP;
    let last = "";
    for (const process of shown) {
      const of = group(run, process);
      if (last && of !== last) x += GAP;
      last = of;
      const owned = run.processes.filter((each) => each.owner === process.id && !hidden.has(each.id)).length;
      const step = Math.max(this.step, least(process));
      const column = { process: process.id, x: x + step / 2, step, group: of, owned, unfolded: unfolded.has(process.id) };
      this.list.push(column);
      this.of[process.id] = column;
      x += step;
    }
    this.width = Math.max(x + GAP, available);
    this.depends = [...unfolded].some((leader) => run.processes.filter((each) => each.owner === leader).length > OWNED_MAX);
    for (const process of run.processes) {
      if (!this.of[process.id] && process.owner >= 0) this.of[process.id] = this.of[process.owner];
    }
  }

  /** The x of a process, or of its leader while that is folded; undefined where it is hidden. */
  x(process: number): number | undefined {
    return this.of[process]?.x;
  }

  has(process: number): boolean {
    return this.of[process]?.process === process;
  }
}

/** A lifeline that is not cramped. */
const COMFORTABLE = 58;

/** The width in which these processes have comfortable columns. */
export function roomFor(shown: Process[]): number {
  const sizes = new Map<string, number>();
  for (const each of shown) sizes.set(each.role, (sizes.get(each.role) ?? 0) + 1);
  const widths = shown.map((each) => (sizes.get(each.role) === 1 ? ALONE_MIN : each.role === "leader" ? LEADER_MIN : COMFORTABLE));
  return widths.reduce((sum, width) => sum + width, GAP * (sizes.size + 2));
}

function group(run: Run, process: Process): string {
  return process.owner >= 0 ? (run.processes[process.owner]?.role ?? process.role) : process.role;
}

function ordered(run: Run, hidden: Set<number>, unfolded: Set<number>, window: [number, number]): Process[] {
  const hosts = run.processes.filter((each) => each.owner < 0 && !hidden.has(each.id) && !run.idle.has(each.id));
  hosts.sort((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role) || a.id - b.id);
  return hosts.flatMap((host) => {
    if (!unfolded.has(host.id)) return [host];
    const owned = run.processes.filter((each) => each.owner === host.id && !hidden.has(each.id));
    const living = owned.length > OWNED_MAX ? owned.filter((each) => lives(each, window)).slice(0, OWNED_MAX) : owned;
    return [host, ...living];
  });
}

function lives(process: Process, [first, last]: [number, number]): boolean {
  const begin = process.life[0]?.[0] ?? Infinity;
  const end = process.life.find(([, status]) => status === "exited")?.[0] ?? Infinity;
  return begin <= last && end >= first;
}
