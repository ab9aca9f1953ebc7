// A run: the timeline, the panel, and what steers them: keys, the slider, search, filters, the address.
import { h, plural } from "./dom";
import { Filters, swatch } from "./filters";
import { Panel } from "./panel";
import { Rows } from "./rows";
import { Run } from "./run";
import type { RunData } from "./data";
import { Timeline } from "./timeline";

const BALLOTS_IN_LEGEND = 8;

export class RunView {
  readonly element: HTMLElement;
  private readonly run: Run;
  private readonly timeline: Timeline;
  private readonly panel: Panel;
  private readonly filters: Filters;
  private rows: Rows;
  private readonly unfolded: Set<number> = new Set();
  private hits: number[] = [];
  private current = 0;
  private readonly slider: HTMLInputElement;
  private readonly position = h("output", { class: "position", "aria-live": "off" });
  private readonly query: HTMLInputElement;
  private readonly found = h("span", { class: "found", role: "status" });
  private readonly announcer = h("div", { class: "sr-only", role: "status", "aria-live": "polite" });

  constructor(data: RunData, start: number | null, private readonly moved: (step: number) => void, address: (step: number) => string) {
    const run = new Run(data);
    this.run = run;
    this.timeline = new Timeline(run, { select: (event) => this.select(event), fold: (leader) => this.fold(leader) });
    this.panel = new Panel(run, (event) => this.select(event), address);
    this.filters = new Filters(run, () => this.refilter());
    this.rows = new Rows(run, this.filters.filter);
    this.slider = h("input", { type: "range", class: "slider", min: 0, max: run.length - 1, value: 0, "aria-label": "Step", input: () => this.select(this.slider.valueAsNumber) });
    this.query = h("input", { type: "search", class: "query", placeholder: "Search events", "aria-label": "Search events", input: () => this.search(), keydown: (event: KeyboardEvent) => this.queryKey(event) });
    this.element = h("main", { class: "run" }, this.toolbar(), h("div", { class: "stage" }, this.timeline.element, this.panel.element), this.legend(), this.announcer);
    this.current = start ?? this.firstStep();
  }

  /** A run that went wrong opens where it does. */
  private firstStep(): number {
    const failing = this.run.marked("failing");
    return failing >= 0 ? failing : 0;
  }

  /** To be called once the element is in the document. */
  begin(): void {
    this.timeline.show(this.rows, this.unfolded, new Set());
    this.select(this.current, false);
    this.timeline.list.focus({ preventScroll: true });
  }

  select(event: number, tell = true): void {
    const step = Math.max(0, Math.min(this.run.length - 1, Number.isFinite(event) ? Math.trunc(event) : 0));
    this.current = step;
    this.slider.value = String(step);
    this.position.textContent = `${step} / ${this.run.length - 1}`;
    this.timeline.select(step);
    this.panel.show(step);
    this.showFound();
    if (tell) this.announcer.textContent = this.run.describe(step);
    this.moved(step);
  }

  private refilter(): void {
    this.rows = new Rows(this.run, this.filters.filter);
    this.timeline.show(this.rows, this.unfolded, new Set(this.hits));
    this.select(this.rows.events[this.rows.rowAtOrBefore(this.current)] ?? 0);
  }

  private fold(leader: number): void {
    if (!this.unfolded.delete(leader)) this.unfolded.add(leader);
    this.timeline.show(this.rows, this.unfolded, new Set(this.hits));
  }

  // ---- moving ----

  private move(by: number): void {
    const row = this.rows.row(this.current);
    const from = row >= 0 ? row : this.rows.rowAtOrBefore(this.current);
    this.select(this.rows.events[Math.max(0, Math.min(this.rows.length - 1, from + by))] ?? this.current);
  }

  /** Takes a key; false where it means nothing here. */
  key(event: KeyboardEvent): boolean {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "checkbox" && event.target.type !== "range";
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return false;
    const ofSlider = event.target === this.slider;
    const inPanel = this.panel.element.contains(event.target as Node) && ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"].includes(event.key);
    if (inPanel || (ofSlider && event.key.startsWith("Page"))) return false;
    const moves: Record<string, () => void> = {
      ArrowRight: () => this.move(1), ArrowDown: () => this.move(1), j: () => this.move(1),
      ArrowLeft: () => this.move(-1), ArrowUp: () => this.move(-1), k: () => this.move(-1),
      PageDown: () => this.move(10), PageUp: () => this.move(-10),
      Home: () => this.select(this.rows.events[0] ?? 0), End: () => this.select(this.rows.events[this.rows.length - 1] ?? 0),
      "/": () => this.query.focus(), n: () => this.next(1), N: () => this.next(-1),
      f: () => this.select(this.firstStep()),
    };
    const move = moves[event.key];
    move?.();
    return move !== undefined;
  }

  // ---- searching ----

  private search(): void {
    const wanted = this.query.value.trim().toLowerCase();
    this.hits = wanted ? this.matching(wanted) : [];
    this.timeline.show(this.rows, this.unfolded, new Set(this.hits));
    const next = this.hits.find((event) => event >= this.current) ?? this.hits[0];
    if (next !== undefined) this.select(next);
    this.showFound();
  }

  private matching(wanted: string): number[] {
    return this.rows.events.filter((index) => {
      const event = this.run.event(index);
      return event.label.toLowerCase().includes(wanted) || event.sends.some((id) => this.run.messages[id]?.text.toLowerCase().includes(wanted));
    });
  }

  private next(by: number): void {
    if (!this.hits.length) return;
    const at = by > 0 ? this.hits.findIndex((event) => event > this.current) : this.hits.findLastIndex((event) => event < this.current);
    this.select(this.hits[at >= 0 ? at : by > 0 ? 0 : this.hits.length - 1] ?? this.current);
  }

  private queryKey(event: KeyboardEvent): void {
    if (event.key === "Enter") this.next(event.shiftKey ? -1 : 1);
    if (event.key !== "Escape") return;
    this.query.value = "";
    this.search();
    this.timeline.list.focus({ preventScroll: true });
  }

  private showFound(): void {
    const at = this.hits.indexOf(this.current);
    this.found.textContent = this.query.value.trim() ? (at >= 0 ? `${at + 1} of ${this.hits.length}` : this.hits.length ? plural(this.hits.length, "match").replace("matchs", "matches") : "none") : "";
  }

  // ---- what surrounds it ----

  private toolbar(): HTMLElement {
    const button = (label: string, sign: string, by: () => void): HTMLElement => h("button", { type: "button", class: "step", "aria-label": label, title: label, click: by }, sign);
    const failing = this.run.marked("failing");
    return h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": "Steps" },
      button("Step back (←)", "◀", () => this.move(-1)),
      button("Step forward (→)", "▶", () => this.move(1)),
      this.slider,
      this.position,
      failing >= 0 ? h("button", { type: "button", class: "quiet", title: "Key: f", click: () => this.select(failing) }, "Go to the failure") : null,
      h("div", { class: "search-box" }, this.query, this.found),
      this.filters.element,
    );
  }

  private legend(): HTMLElement {
    const ballots = this.run.data.ballots.slice(0, BALLOTS_IN_LEGEND).map((name, number) => h("li", {}, swatch(number), name));
    const more = this.run.data.ballots.length - ballots.length;
    const signs: [string, string, string][] = [
      ["★", "decision", "decided"], ["✗", "lost", "lost"], ["○", "pending", "never delivered"], ["×2", "again", "delivered again"], ["┄", "inferred", "inferred"],
    ];
    const used = signs.filter(([, what]) => this.uses(what)).map(([sign, what, text]) => h("li", { class: `sign ${what}` }, h("span", {}, sign), text));
    const keys = h("span", { class: "keys" }, h("kbd", {}, "←"), h("kbd", {}, "→"), " step  ", h("kbd", {}, "/"), " search  ", h("kbd", {}, "n"), " next match");
    return h("footer", { class: "legend" }, h("ul", { "aria-label": "Ballots" }, ...ballots, more > 0 ? h("li", {}, `and ${more} more, in the same order of shapes`) : null), h("ul", { "aria-label": "Signs" }, ...used), keys);
  }

  private uses(what: string): boolean {
    const { run } = this;
    if (what === "decision") return run.marked("decision") >= 0;
    if (what === "inferred") return run.data.events.some((raw) => raw[7] === 1);
    if (what === "again") return run.messages.some((each) => each.receivedAt.length > 1);
    return run.messages.some((each) => each.fate === (what === "lost" ? "dropped" : "pending"));
  }
}
