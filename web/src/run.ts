// A run as the diagram, the list and the panel ask for it.
import type { RawChange, RunData } from "./data";
import { count } from "./dom";

export interface Message {
  id: number;
  kind: string;
  text: string;
  from: number;
  to: number;
  sentAt: number;
  receivedAt: number[];
  droppedAt: number;
  fate: string;
  ballot: number;
  slot: number;
}

export interface RunEvent {
  index: number;
  kind: string;
  process: number;
  label: string;
  message: number;
  sends: number[];
  changes: RawChange[];
  marks: Set<string>;
  inferred: boolean;
  place: string;
}

export interface Process {
  id: number;
  name: string;
  role: string;
  owner: number;
  /** Events at which its status changes, with the new status. */
  life: [number, string][];
}

export const STATUS = "status";
const NO_MARKS: Set<string> = new Set();

export class Run {
  readonly length: number;
  /** How many signs the longest label has. */
  readonly longestLabel: number;
  readonly processes: Process[];
  readonly messages: Message[];
  readonly slots: number[];
  /** Processes of which there is nothing to see. */
  readonly idle: Set<number>;
  private readonly events: (RunEvent | undefined)[];
  private readonly markSets = new Map<number, Set<string>>();

  constructor(readonly data: RunData) {
    this.length = data.events.length;
    this.events = new Array<RunEvent | undefined>(this.length);
    this.processes = data.processes.map(([name, role, owner], id) => ({ id, name, role, owner: owner ?? -1, life: [] }));
    this.messages = data.messages.map((raw, id) => this.messageOf(raw, id));
    this.slots = [...new Set(this.messages.map((each) => each.slot))].filter((slot) => slot > 0).sort((a, b) => a - b);
    this.idle = this.idleOnes();
    this.longestLabel = data.events.reduce((most, raw) => Math.max(most, raw[2].length), 0);
    this.readLives();
  }

  private idleOnes(): Set<number> {
    const busy = new Set<number>();
    for (const message of this.messages) busy.add(message.from).add(message.to);
    for (const raw of this.data.events) {
      busy.add(raw[1]);
      for (const change of raw[5]) busy.add(change[0]);
    }
    for (const each of this.processes) if (busy.has(each.id)) busy.add(each.owner);
    return new Set(this.processes.map((each) => each.id).filter((id) => !busy.has(id)));
  }

  private messageOf(raw: RunData["messages"][number], id: number): Message {
    const [kind, text, from, to, sentAt, receivedAt, droppedAt, fate, ballot, slot] = raw;
    return { id, kind: this.data.messageKinds[kind] ?? "", text, from, to, sentAt, receivedAt, droppedAt, fate: this.data.fates[fate] ?? "", ballot, slot };
  }

  private readLives(): void {
    const status = this.data.fields.indexOf(STATUS);
    this.data.events.forEach((raw, index) => {
      for (const change of raw[5]) {
        if (change[1] === status && change.length === 4) this.processes[change[0]]?.life.push([index, change[3] ?? ""]);
      }
    });
  }

  event(index: number): RunEvent {
    const known = this.events[index];
    if (known) return known;
    const raw = this.data.events[index];
    if (!raw) throw new RangeError(`no event ${index}`);
    const [kind, process, label, message, sends, changes, bits, inferred, file, line] = raw;
    const place = file === undefined ? "" : `${this.data.files[file] ?? ""}:${line ?? 0}`;
    const made: RunEvent = { index, kind: this.data.eventKinds[kind] ?? "", process, label, message, sends, changes, marks: this.marksOf(bits), inferred: inferred === 1, place };
    this.events[index] = made;
    return made;
  }

  private marksOf(bits: number): Set<string> {
    if (bits === 0) return NO_MARKS;
    const known = this.markSets.get(bits);
    if (known) return known;
    const marks = new Set(this.data.marks.filter((_, bit) => bits & (1 << bit)));
    this.markSets.set(bits, marks);
    return marks;
  }

  name(process: number): string {
    return this.processes[process]?.name ?? "nobody recorded";
  }

  ballot(number: number): string {
    return this.data.ballots[number] ?? "";
  }

  field(number: number): string {
    return this.data.fields[number] ?? "";
  }

  /** The first event with a mark; -1 if there is none. */
  marked(mark: string): number {
    const bit = this.data.marks.indexOf(mark);
    return this.data.events.findIndex((raw) => raw[6] & (1 << bit));
  }

  /** The message that tells the ballot and slot of an event: the one that is delivered, else the first that is sent. */
  about(event: RunEvent): Message | undefined {
    return this.messages[event.message] ?? this.messages[event.sends[0] ?? -1];
  }

  /** The messages of an event: what is delivered or dropped, and what is sent. */
  messagesOf(event: RunEvent): Message[] {
    const ids = event.message < 0 ? event.sends : [event.message, ...event.sends];
    return ids.map((id) => this.messages[id]).filter((each) => each !== undefined);
  }

  /** What a step changes, in words. */
  changeText(change: RawChange): string {
    const field = this.field(change[1]);
    if (change.length === 5) {
      const parts = [...some(change[2]).map((each) => `+${each}`), ...some(change[3]).map((each) => `-${each}`)];
      return `${field} ${parts.length ? parts.join(" ") : "{}"}`;
    }
    const [, , before, after] = change;
    if (field === STATUS) return after === "down" ? "crashes" : after === "exited" ? "exits" : before === "down" ? "restarts" : "starts";
    return before === null ? `${field} ${after ?? "∅"}` : `${field} ${before} → ${after ?? "∅"}`;
  }

  /** What became of a message, in words; `at` names the events. */
  fateText(message: Message): string {
    switch (message.fate) {
      case "delivered":
        return `received in ${message.receivedAt.map((at) => `step ${at}`).join(" and again in ")}`;
      case "dropped":
        return `lost in step ${message.droppedAt}`;
      case "pending":
        return "never delivered";
      default:
        return "nobody records whether it arrived";
    }
  }

  /** The text alternative of an event, for those who do not see the diagram. */
  describe(index: number): string {
    const event = this.event(index);
    return `Step ${index}: ${event.label}${this.remarks(event)}`;
  }

  /** What the diagram shows of an event beside its label. */
  remarks(event: RunEvent): string {
    const notes = NOTES.filter(([mark]) => event.marks.has(mark)).map(([, text]) => text);
    if (event.inferred) notes.unshift("inferred, not recorded");
    const message = this.messages[event.message];
    if (message && event.kind !== "drop") notes.unshift(`from ${this.name(message.from)}${message.sentAt < 0 ? "" : `, sent in step ${message.sentAt}`}`);
    const sends = event.sends.length && event.kind !== "send" ? `; sends ${event.sends.slice(0, 6).map((id) => this.messages[id]?.text ?? "").join(", ")}` : "";
    return `${sends}${notes.length ? ` (${notes.join("; ")})` : ""}`;
  }
}

const NOTES: [string, string][] = [
  ["decision", "a command is decided"],
  ["reconfiguration", "a reconfiguration takes effect"],
  ["failing", "here the run goes wrong"],
  ["deviation", "the paper's protocol would not have taken this step"],
  ["past", "in the causal past of what goes wrong"],
  ["unjudged", "after the failure, not judged"],
];

function some(members: string[]): string[] {
  return members.length > 4 ? [...members.slice(0, 3), `${count(members.length - 3)} more`] : members;
}
