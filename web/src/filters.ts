// Menus of what to show: processes, slots, ballots, kinds of messages.
import { shape } from "./diagram";
import { type Child, h, s } from "./dom";
import { type Filter, isFiltering, noFilter } from "./rows";
import type { Run } from "./run";

const CHOICES_MAX = 200;

export class Filters {
  readonly element: HTMLElement;
  readonly filter: Filter = noFilter();
  private readonly reset: HTMLButtonElement;

  constructor(private readonly run: Run, private readonly changed: () => void) {
    this.reset = h("button", { type: "button", class: "quiet", hidden: true, click: () => this.clear() }, "Show all");
    const hosts = run.processes.filter((each) => each.owner < 0 && !run.idle.has(each.id));
    this.element = h(
      "div",
      { class: "filters", role: "group", "aria-label": "Filters" },
      this.menu("Processes", hosts.map((each) => [each.id, [each.name]]), this.filter.processes, (id) => this.withOwned(id)),
      this.menu("Slots", run.slots.slice(0, CHOICES_MAX).map((slot) => [slot, [`slot ${slot}`]]), this.filter.slots),
      this.menu("Ballots", run.data.ballots.slice(0, CHOICES_MAX).map((name, number) => [number, [swatch(number), name]]), this.filter.ballots),
      this.menu("Messages", run.data.messageKinds.map((kind) => [kind, [kind]]), this.filter.kinds),
      run.marked("past") >= 0 ? this.past() : null,
      this.reset,
    );
    document.addEventListener("click", (event) => this.closeOthers(event.target as Node));
  }

  private past(): HTMLElement {
    const box = h("input", { type: "checkbox", change: () => this.apply(() => (this.filter.pastOnly = box.checked)) });
    return h("label", { class: "past-only" }, box, "only the causal past");
  }

  private withOwned(id: number): number[] {
    return [id, ...this.run.processes.filter((each) => each.owner === id).map((each) => each.id)];
  }

  private menu<T extends number | string>(title: string, choices: [T, Child[]][], left: Set<T>, all: (choice: T) => T[] = (choice) => [choice]): HTMLElement | null {
    if (choices.length < 2) return null;
    const boxes: HTMLInputElement[] = [];
    const lines = choices.map(([value, shown]) => {
      const box = h("input", {
        type: "checkbox",
        checked: true,
        change: () => this.apply(() => all(value).forEach((each) => (box.checked ? left.delete(each) : left.add(each)))),
      });
      boxes.push(box);
      const only = h("button", { type: "button", class: "only", click: () => this.apply(() => pick(value)) }, "only");
      return h("div", { class: "choice" }, h("label", {}, box, ...shown), only);
    });
    const pick = (value: T): void => {
      left.clear();
      choices.forEach(([each], number) => {
        const box = boxes[number];
        if (box) box.checked = each === value;
        if (each !== value) all(each).forEach((one) => left.add(one));
      });
    };
    return h("details", { class: "menu" }, h("summary", {}, title), h("div", { class: "choices", role: "group", "aria-label": title }, ...lines));
  }

  private closeOthers(target: Node): void {
    for (const menu of this.element.querySelectorAll("details[open]")) if (!menu.contains(target)) menu.removeAttribute("open");
  }

  private apply(change: () => void): void {
    change();
    this.reset.hidden = !isFiltering(this.filter);
    for (const menu of this.element.querySelectorAll("details")) menu.classList.toggle("active", menu.querySelector("input:not(:checked)") !== null);
    this.changed();
  }

  clear(): void {
    this.apply(() => {
      for (const each of [this.filter.processes, this.filter.kinds, this.filter.slots, this.filter.ballots]) each.clear();
      this.filter.pastOnly = false;
      for (const box of this.element.querySelectorAll<HTMLInputElement>("input")) box.checked = !box.closest(".past-only");
    });
  }
}

export function swatch(ballot: number): SVGElement {
  return s("svg", { class: "ballot-mark", width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" }, shape(ballot, 7, 7, 4.6));
}
