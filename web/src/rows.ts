// Which events are shown: filters decide, and each event that passes is a row. Messages are found by the rows that they cross.
import type { Message, Run, RunEvent } from "./run";

export interface Filter {
  /** What is left out. */
  processes: Set<number>;
  kinds: Set<string>;
  slots: Set<number>;
  ballots: Set<number>;
  pastOnly: boolean;
}

export function noFilter(): Filter {
  return { processes: new Set(), kinds: new Set(), slots: new Set(), ballots: new Set(), pastOnly: false };
}

export function isFiltering(filter: Filter): boolean {
  return filter.pastOnly || filter.processes.size + filter.kinds.size + filter.slots.size + filter.ballots.size > 0;
}

/** One delivery, loss or missing delivery of a message, as it is drawn. */
export interface Arrow {
  message: Message;
  from: number;
  /** The row where it arrives or is lost; -1: never. */
  to: number;
  end: "received" | "again" | "lost" | "pending" | "unrecorded";
}

const BUCKET = 128;

export class Rows {
  /** By row: the event. */
  readonly events: number[];
  /** By event: its row, or -1. */
  private readonly rowOf: Int32Array;
  private readonly buckets: Arrow[][] = [];

  constructor(readonly run: Run, readonly filter: Filter) {
    this.rowOf = new Int32Array(run.length).fill(-1);
    this.events = [];
    for (let index = 0; index < run.length; index++) {
      if (this.passes(run.event(index))) {
        this.rowOf[index] = this.events.length;
        this.events.push(index);
      }
    }
    for (const message of run.messages) if (this.showsMessage(message)) this.file(message);
  }

  get length(): number {
    return this.events.length;
  }

  row(event: number): number {
    return this.rowOf[event] ?? -1;
  }

  /** The row of an event, or of the last shown one before it. */
  rowAtOrBefore(event: number): number {
    for (let index = event; index >= 0; index--) if (this.row(index) >= 0) return this.row(index);
    return 0;
  }

  private passes(event: RunEvent): boolean {
    const { filter, run } = this;
    if (event.index === 0) return true;
    if (filter.processes.has(event.process)) return false;
    if (filter.pastOnly && !event.marks.has("past") && !event.marks.has("failing") && !event.marks.has("cited")) return false;
    const messages = run.messagesOf(event);
    return messages.length === 0 || messages.some((message) => this.showsMessage(message));
  }

  showsMessage(message: Message): boolean {
    const { filter } = this;
    return !(
      filter.kinds.has(message.kind) ||
      (message.slot > 0 && filter.slots.has(message.slot)) ||
      (message.ballot >= 0 && filter.ballots.has(message.ballot)) ||
      (filter.processes.has(message.from) && filter.processes.has(message.to))
    );
  }

  private file(message: Message): void {
    const from = message.sentAt < 0 ? -1 : this.row(message.sentAt);
    message.receivedAt.forEach((at, number) => this.add({ message, from, to: this.row(at), end: number ? "again" : "received" }));
    if (message.droppedAt >= 0) this.add({ message, from, to: this.row(message.droppedAt), end: "lost" });
    if (!message.receivedAt.length && message.droppedAt < 0) this.add({ message, from, to: -1, end: message.fate === "unrecorded" ? "unrecorded" : "pending" });
  }

  private add(arrow: Arrow): void {
    const ends = [arrow.from, arrow.to].filter((row) => row >= 0);
    if (!ends.length) return;
    const first = Math.floor(Math.min(...ends) / BUCKET);
    const last = Math.floor(Math.max(...ends) / BUCKET);
    for (let bucket = first; bucket <= last; bucket++) (this.buckets[bucket] ??= []).push(arrow);
  }

  /** The arrows that cross rows `first` to `last`. */
  arrows(first: number, last: number): Arrow[] {
    const found = new Set<Arrow>();
    for (let bucket = Math.floor(first / BUCKET); bucket <= Math.floor(last / BUCKET); bucket++) {
      for (const arrow of this.buckets[bucket] ?? []) {
        const ends = [arrow.from, arrow.to].filter((row) => row >= 0);
        if (Math.min(...ends) <= last && Math.max(...ends) >= first) found.add(arrow);
      }
    }
    return [...found];
  }
}
