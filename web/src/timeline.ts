// The list of events beside the diagram, both windowed: however long a run is, only the rows in sight are in the document.
import { Columns, roomFor } from "./columns";
import { picture, ROW } from "./diagram";
import { h, plural, replace } from "./dom";
import type { Rows } from "./rows";
import type { Run, RunEvent } from "./run";

const SPARE_ROWS = 12;
const PRINTED_ROWS_MAX = 400;
const COLUMN_SPARE = 24;
/** Widths of the list: at most, of a sign of its labels, of what stands beside them. */
const [LIST_MAX, LABEL_SIGN, LIST_BESIDE] = [620, 7.6, 112];

export interface TimelineActions {
  select(event: number): void;
  fold(leader: number): void;
}

export class Timeline {
  readonly element: HTMLElement;
  readonly list: HTMLElement;
  private readonly header = h("div", { class: "lifeline-names" });
  private readonly canvas: HTMLElement;
  private readonly window = h("div", { class: "window" });
  private readonly pictureBox = h("div", { class: "picture-box" });
  private readonly corner = h("div", { class: "corner" });
  private rows!: Rows;
  private columns: Columns | undefined;
  private current = 0;
  private hits: Set<number> = new Set();
  private unfolded: Set<number> = new Set();
  private drawn: [number, number] = [0, -1];
  private waiting = false;

  constructor(private readonly run: Run, private readonly actions: TimelineActions) {
    this.list = h("div", { class: "events", role: "listbox", tabindex: 0, "aria-label": "Events of the run, in their order" });
    this.window.append(this.list, this.pictureBox);
    this.canvas = h("div", { class: "canvas" }, this.window);
    const head = h("div", { class: "timeline-head" }, this.corner, this.header);
    this.element = h("section", { class: "timeline", "aria-label": "Space-time diagram" }, head, this.canvas);
    this.element.addEventListener("scroll", () => this.soon());
    this.element.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.resized()).observe(this.element);
    window.addEventListener("beforeprint", () => this.printed());
    window.addEventListener("afterprint", () => this.draw(true));
  }

  show(rows: Rows, unfolded: Set<number>, hits: Set<number>): void {
    [this.rows, this.unfolded, this.hits] = [rows, unfolded, hits];
    this.canvas.style.height = `${rows.length * ROW}px`;
    this.fitList();
    this.corner.textContent = rows.length === this.run.length ? plural(this.run.length - 1, "event") : `${rows.length} of ${plural(this.run.length - 1, "event")}`;
    this.draw(true);
  }

  select(event: number): void {
    this.current = event;
    this.reveal(this.rows.rowAtOrBefore(event));
    this.draw(true);
    this.revealColumn(this.columns?.x(this.run.event(event).process));
  }

  private resized(): void {
    if (!this.rows) return;
    this.fitList();
    this.draw(true);
  }

  /** Labels have the room that the diagram does not need. */
  private fitList(): void {
    this.element.style.removeProperty("--list-width");
    const usual = this.list.offsetWidth;
    const shown = this.run.processes.filter((each) => !this.run.idle.has(each.id) && !this.rows.filter.processes.has(each.id) && (each.owner < 0 || this.unfolded.has(each.owner)));
    const spare = this.element.clientWidth - usual - roomFor(shown);
    const wanted = Math.min(LIST_MAX, this.run.longestLabel * LABEL_SIGN + LIST_BESIDE);
    if (spare > 0 && wanted > usual) this.element.style.setProperty("--list-width", `${Math.min(wanted, usual + spare)}px`);
  }

  /** Scrolls sideways where the lifeline of the event is out of sight. */
  private revealColumn(x: number | undefined): void {
    if (x === undefined) return;
    const room = this.element.clientWidth - this.list.offsetWidth;
    if (x - COLUMN_SPARE < this.element.scrollLeft || x + COLUMN_SPARE > this.element.scrollLeft + room) this.element.scrollLeft = Math.max(0, x - room / 2);
  }

  private reveal(row: number): void {
    const head = this.header.offsetHeight;
    const height = this.element.clientHeight - head;
    const top = row * ROW;
    if (top < this.element.scrollTop + ROW * 2) this.element.scrollTop = Math.max(0, top - ROW * 3);
    else if (top + ROW * 3 > this.element.scrollTop + height) this.element.scrollTop = top + ROW * 4 - height;
  }

  private soon(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw(false);
    });
  }

  private draw(anew: boolean): void {
    if (!this.rows) return;
    const inSight = Math.ceil(this.element.clientHeight / ROW);
    const top = Math.floor(this.element.scrollTop / ROW);
    const [first, last] = [Math.max(0, top - SPARE_ROWS), Math.min(this.rows.length - 1, top + inSight + SPARE_ROWS)];
    if (!anew && this.drawn[0] <= Math.max(0, top - 2) && this.drawn[1] >= Math.min(this.rows.length - 1, top + inSight + 2)) return;
    this.drawRows(first, last);
  }

  private drawRows(first: number, last: number): void {
    this.drawn = [first, last];
    const listWidth = this.list.offsetWidth || 360;
    const available = this.element.clientWidth - listWidth - 4;
    const events: [number, number] = [this.rows.events[first] ?? 0, this.rows.events[last] ?? 0];
    const columns = new Columns(this.run, this.rows.filter.processes, this.unfolded, available, events);
    this.columns = columns;
    this.drawHeader(columns);
    this.window.style.transform = `translateY(${first * ROW}px)`;
    this.canvas.style.width = `${listWidth + columns.width}px`;
    const shown = Array.from({ length: last - first + 1 }, (_, number) => this.option(first + number));
    this.list.replaceChildren(...shown);
    const here = `event-${this.current}`;
    if (shown.some((each) => each.id === here)) this.list.setAttribute("aria-activedescendant", here);
    else this.list.removeAttribute("aria-activedescendant");
    replace(this.pictureBox, picture({ run: this.run, rows: this.rows, columns, current: this.current }, first, last));
  }

  private option(row: number): HTMLElement {
    const index = this.rows.events[row] ?? 0;
    const event = this.run.event(index);
    const cls = ["event", index === this.current && "current", this.hits.has(index) && "hit", ...event.marks, event.inferred && "inferred"];
    return h(
      "div",
      {
        class: cls.filter(Boolean).join(" "),
        id: `event-${index}`,
        role: "option",
        "aria-selected": index === this.current ? "true" : "false",
        "aria-setsize": this.rows.length,
        "aria-posinset": row + 1,
        "data-event": index,
        title: this.run.describe(index),
      },
      h("span", { class: "number" }, String(index)),
      h("span", { class: "label" }, event.label),
      h("span", { class: "sr-only" }, this.run.remarks(event)),
      ...badges(event),
    );
  }

  private drawHeader(columns: Columns): void {
    this.header.style.width = `${columns.width}px`;
    const groups = new Map<string, [number, number]>();
    for (const column of columns.list) {
      const [left, right] = groups.get(column.group) ?? [Infinity, -Infinity];
      groups.set(column.group, [Math.min(left, column.x - column.step / 2 + 5), Math.max(right, column.x + column.step / 2 - 5)]);
    }
    const titles = [...groups].map(([name, [left, right]]) => {
      const title = h("div", { class: "group" }, `${name}s`);
      Object.assign(title.style, { left: `${left}px`, width: `${right - left}px` });
      return title;
    });
    const names = columns.list.map((column) => {
      const process = this.run.processes[column.process];
      const name = h("div", { class: `name ${process && process.owner >= 0 ? "owned" : ""}` }, h("span", {}, shortName(process?.name ?? "")));
      name.title = process?.name ?? "";
      if (column.owned) name.append(this.folder(column.process, column.owned, column.unfolded));
      Object.assign(name.style, { left: `${column.x - column.step / 2}px`, width: `${column.step}px` });
      return name;
    });
    this.header.replaceChildren(...titles, ...names);
  }

  private folder(leader: number, owned: number, unfolded: boolean): HTMLElement {
    const sign = unfolded ? "−" : `+${owned > 99 ? "…" : owned}`;
    const label = `${sign} ${unfolded ? "fold" : "unfold"} the scouts and commanders of ${this.run.name(leader)}`;
    return h("button", { class: "fold", type: "button", "aria-expanded": unfolded ? "true" : "false", "aria-label": label, title: label, click: () => this.actions.fold(leader) }, sign);
  }

  private clicked(event: MouseEvent): void {
    const target = event.target as Element;
    if (target.closest("button")) return;
    const option = target.closest<HTMLElement>("[data-event]");
    if (option) return this.actions.select(Number(option.dataset["event"]));
    const box = this.pictureBox.getBoundingClientRect();
    if (event.clientX < box.left || event.clientY < box.top || event.clientY > box.bottom) return;
    const index = this.rows.events[this.drawn[0] + Math.floor((event.clientY - box.top) / ROW)];
    if (index !== undefined) this.actions.select(index);
  }

  /** On paper there is no scrolling: all rows, or those around the current one where that would be hundreds of pages. */
  private printed(): void {
    const total = this.rows.length;
    if (total <= PRINTED_ROWS_MAX) return this.drawRows(0, total - 1);
    const middle = this.rows.rowAtOrBefore(this.current);
    const first = Math.max(0, Math.min(middle - PRINTED_ROWS_MAX / 2, total - PRINTED_ROWS_MAX));
    this.drawRows(first, first + PRINTED_ROWS_MAX - 1);
  }
}

function shortName(name: string): string {
  return name.replace(/^scout\((.*)\)$/, "S $1").replace(/^commander\((.*)\)$/, "C $1");
}

const BADGES: [string, string, string][] = [
  ["failing", "✗", "here the run goes wrong"],
  ["deviation", "!", "the paper's protocol would not have taken this step"],
  ["decision", "★", "a command is decided"],
  ["reconfiguration", "⇄", "a reconfiguration takes effect"],
];

function badges(event: RunEvent): HTMLElement[] {
  return BADGES.filter(([mark]) => event.marks.has(mark)).map(([mark, sign, title]) => h("span", { class: `badge ${mark}`, title, "aria-hidden": "true" }, sign));
}
