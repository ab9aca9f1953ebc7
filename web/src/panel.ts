// Beside the diagram: what went wrong, the event in full, and the state of every process with what has just changed.
import type { RawChange } from "./data";
import { ballotClass, shape } from "./diagram";
import { type Child, count, h, replace, s } from "./dom";
import { type Message, type Run, type RunEvent, STATUS } from "./run";
import { type Fields, States } from "./state";

const MEMBERS_SHOWN = 8;
const SENDS_SHOWN = 24;
const ROLE_TITLES: [string, string][] = [["replica", "Replicas"], ["leader", "Leaders, scouts and commanders"], ["acceptor", "Acceptors"]];

export class Panel {
  readonly element: HTMLElement;
  private readonly eventBox = h("section", { class: "card event-card", "aria-label": "The event" });
  private readonly stateBox = h("section", { class: "card state-card", "aria-label": "State after the event" });
  private readonly states: States;

  constructor(private readonly run: Run, private readonly select: (event: number) => void, private readonly address: (event: number) => string) {
    this.states = new States(run);
    this.element = h("aside", { class: "panel", "aria-label": "Details", tabindex: 0 }, this.explanation(), this.eventBox, this.stateBox, this.facts());
  }

  show(index: number): void {
    this.states.go(index);
    const event = this.run.event(index);
    replace(this.eventBox, ...this.eventParts(event));
    replace(this.stateBox, ...this.stateParts(event));
  }

  private link(event: number, text = `step ${event}`): HTMLElement {
    const place = this.run.event(event).place;
    const short = text === place ? place.slice(place.lastIndexOf("/") + 1) : text;
    const follow = (click: MouseEvent): void => {
      if (click.ctrlKey || click.metaKey || click.shiftKey) return; // a tab or window of its own
      click.preventDefault();
      this.select(event);
    };
    return h("a", { class: "link", href: this.address(event), title: short === text ? null : text, click: follow }, short);
  }

  private explanation(): HTMLElement | null {
    const { explanation, verdict } = this.run.data;
    if (!explanation.length) return null;
    const paragraphs = explanation.map((spans) => h("p", {}, ...spans.map(([text, event]) => (event === null ? text : this.link(event, text)))));
    const title = ["violated", "rejected"].includes(verdict) ? "What went wrong" : "About this run";
    return h("section", { class: "card why", "aria-label": title }, h("h2", {}, title), ...paragraphs);
  }

  private facts(): HTMLElement | null {
    const { facts } = this.run.data;
    if (!facts.length) return null;
    return h("section", { class: "card facts", "aria-label": "The run" }, h("h2", {}, "The run"), h("dl", {}, ...facts.flatMap(([label, text]) => [h("dt", {}, label), h("dd", {}, text)])));
  }

  // ---- the event ----

  private *eventParts(event: RunEvent): Iterable<Child> {
    const { run } = this;
    const role = run.processes[event.process]?.role;
    yield h("h2", {}, `Step ${event.index}`, h("span", { class: "of" }, ` of ${count(run.length - 1)}`), role ? h("span", { class: "where" }, `${run.name(event.process)} · ${role}`) : null);
    yield h("p", { class: "event-label" }, event.label);
    yield* this.notes(event);
    const delivered = run.messages[event.message];
    if (delivered) yield h("p", { class: "via" }, ...this.origin(delivered, event));
    if (event.sends.length) yield this.sends(event);
    if (event.place) yield h("p", { class: "place" }, "recorded in ", h("code", {}, event.place));
  }

  private *notes(event: RunEvent): Iterable<Child> {
    const told: [string, string][] = [
      ["failing", "Here the run goes wrong."],
      ["deviation", "The paper's protocol would not have taken this step."],
      ["decision", "A command is decided."],
      ["reconfiguration", "A reconfiguration takes effect."],
      ["unjudged", "Comes after the failure, so it was not judged."],
    ];
    for (const [mark, text] of told) if (event.marks.has(mark)) yield h("p", { class: `note ${mark}` }, text);
    if (event.inferred) yield h("p", { class: "note inferred" }, "Inferred: it must have happened, but no log records it.");
  }

  private *origin(message: Message, event: RunEvent): Iterable<Child> {
    yield this.ballotMark(message);
    yield `from ${this.run.name(message.from)}, `;
    if (message.sentAt < 0) yield "its send is not recorded";
    else yield* ["sent in ", this.link(message.sentAt)];
    const number = message.receivedAt.indexOf(event.index);
    if (number > 0) yield* ["; delivered again, first in ", this.link(message.receivedAt[0] ?? 0)];
  }

  private sends(event: RunEvent): HTMLElement {
    const listed = event.sends.slice(0, SENDS_SHOWN).map((id) => this.run.messages[id]).filter((each) => each !== undefined);
    const more = event.sends.length - listed.length;
    const lines = listed.map((message) => h("li", {}, this.ballotMark(message), h("span", { class: "sent" }, message.text), ` to ${this.run.name(message.to)}: `, ...this.fate(message)));
    return h("div", { class: "sends" }, h("h3", {}, "Sends"), h("ul", {}, ...lines, more > 0 ? h("li", {}, `and ${count(more)} more`) : null));
  }

  private fate(message: Message): Child[] {
    if (message.fate === "delivered") return ["received in ", ...message.receivedAt.flatMap((at, number) => [number ? " and again in " : "", this.link(at)])];
    if (message.fate === "dropped") return ["lost in ", this.link(message.droppedAt)];
    return [h("span", { class: "never" }, this.run.fateText(message))];
  }

  private ballotMark(message: Message): Child {
    if (message.ballot < 0) return null;
    const mark = s("svg", { class: "ballot-mark", width: 14, height: 14, viewBox: "0 0 14 14", role: "img", "aria-label": `ballot ${this.run.ballot(message.ballot)}` }, shape(message.ballot, 7, 7, 4.6));
    return mark;
  }

  // ---- the states ----

  private *stateParts(event: RunEvent): Iterable<Child> {
    const { run } = this;
    yield h("h2", {}, `State after step ${event.index}`);
    const changed = new Map<number, RawChange[]>();
    for (const change of event.changes) changed.set(change[0], [...(changed.get(change[0]) ?? []), change]);
    let known = false;
    for (const [role, title] of ROLE_TITLES) {
      const here = run.processes.filter((each) => (each.owner >= 0 ? role === "leader" : each.role === role) && this.isShown(each.id, changed));
      if (!here.length) continue;
      known = true;
      yield h("h3", {}, title);
      for (const process of here) yield this.process(process.id, changed.get(process.id) ?? [], event.index === 0);
    }
    if (!known) yield h("p", { class: "never" }, "No log is complete enough to tell the state of a process.");
  }

  /** All that live, and those that this event ends. */
  private isShown(process: number, changed: Map<number, RawChange[]>): boolean {
    const fields = this.states.now[process];
    if (!fields?.size) return false;
    const gone = (this.run.processes[process]?.owner ?? -1) >= 0 && this.statusOf(fields) === "exited";
    return !gone || changed.has(process);
  }

  private statusOf(fields: Fields): string {
    const status = fields.get(this.run.data.fields.indexOf(STATUS));
    return typeof status === "string" ? status : "";
  }

  private process(process: number, changes: RawChange[], quiet: boolean): HTMLElement {
    const fields = this.states.now[process] ?? new Map();
    const status = this.statusOf(fields);
    const owner = (this.run.processes[process]?.owner ?? -1) >= 0;
    const rows = [...fields].filter(([field]) => this.run.field(field) !== STATUS).flatMap(([field, value]) => {
      const change = quiet ? undefined : changes.find((each) => each[1] === field);
      return [h("dt", { class: change ? "changed" : "" }, this.run.field(field)), h("dd", { class: change ? "changed" : "" }, ...this.value(value, change))];
    });
    const cls = `process ${changes.length && !quiet ? "touched" : ""} ${owner ? "owned" : ""}`;
    const told = status && status !== "running" ? h("span", { class: `status ${status}` }, status) : null;
    return h("div", { class: cls }, h("h4", {}, this.run.name(process), told), rows.length ? h("dl", {}, ...rows) : null);
  }

  private *value(value: string | Set<string>, change: RawChange | undefined): Iterable<Child> {
    if (typeof value === "string") {
      if (change?.length === 4 && change[2] !== null) yield* [h("del", {}, change[2]), " → "];
      yield change ? h("ins", {}, value) : value;
      return;
    }
    const added = new Set(change?.length === 5 ? change[2] : []);
    const removed = change?.length === 5 ? change[3] : [];
    if (!value.size && !removed.length) yield h("span", { class: "empty" }, "∅");
    const kept = [...value].filter((member) => !added.has(member));
    const room = Math.max(0, MEMBERS_SHOWN - added.size);
    const shown: Child[] = [
      ...kept.slice(-room || kept.length).slice(0, room).map((member) => h("span", { class: "member" }, member)),
      ...[...added].slice(0, MEMBERS_SHOWN).map((member) => h("ins", { class: "member" }, member)),
      ...removed.slice(0, MEMBERS_SHOWN).map((member) => h("del", { class: "member" }, member)),
    ];
    const hidden = value.size - Math.min(room, kept.length) - Math.min(added.size, MEMBERS_SHOWN);
    if (hidden > 0) yield h("span", { class: "more" }, `${count(hidden)} older, `);
    yield* shown;
  }
}

export { ballotClass };
