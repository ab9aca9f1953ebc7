// The page: reads its data, shows one sheet (or the table of all), and keeps the address in step: #sheet=2&step=12.
import { load, type PageData, type Sheet } from "./data";
import { h, replace } from "./dom";
import { indexView, verdictBadge } from "./index-view";
import { RunView } from "./run-view";
import { searchView } from "./search-sheet";

interface Address {
  sheet: number | null;
  step: number | null;
}

function address(): Address {
  const parts = new URLSearchParams(location.hash.slice(1));
  const number = (name: string): number | null => (/^\d+$/.test(parts.get(name) ?? "") ? Number(parts.get(name)) : null);
  return { sheet: number("sheet"), step: number("step") };
}

class App {
  private view: RunView | null = null;
  private shown: number | null = null;

  constructor(private readonly root: HTMLElement, private readonly data: PageData) {
    window.addEventListener("hashchange", () => this.follow());
    document.addEventListener("keydown", (event) => this.key(event));
    this.follow();
  }

  private key(event: KeyboardEvent): void {
    if (this.view?.key(event)) event.preventDefault();
  }

  private follow(): void {
    const { sheet, step } = address();
    const only = this.data.index ? null : 0;
    const wanted = sheet !== null && sheet < this.data.sheets.length ? sheet : step !== null ? this.firstRun() : only;
    if (wanted === this.shown && this.view && step !== null) return this.view.select(step);
    this.show(wanted, step);
  }

  private firstRun(): number {
    return Math.max(0, this.data.sheets.findIndex((each) => each.run));
  }

  private show(number: number | null, step: number | null): void {
    this.view = null;
    this.shown = number;
    const sheet = number === null ? undefined : this.data.sheets[number];
    if (!sheet) {
      replace(this.root, this.header(this.data.title, null), indexView(this.data));
      return;
    }
    document.title = `${sheet.name} - ${this.data.title}`;
    const header = this.header(sheet.summary || sheet.name, sheet);
    if (sheet.run) {
      const address = (at: number): string => (this.data.sheets.length > 1 ? `#sheet=${number}&step=${at}` : `#step=${at}`);
      const view = new RunView(sheet.run, step, (at) => history.replaceState(null, "", address(at)), address);
      replace(this.root, header, view.element);
      view.begin();
      this.view = view;
    } else if (sheet.search) replace(this.root, header, searchView(sheet.search));
    else replace(this.root, header, h("main", { class: "lines" }, h("pre", { tabindex: 0 }, (sheet.lines ?? []).join("\n"))));
  }

  private header(title: string, sheet: Sheet | null): HTMLElement {
    const several = this.data.sheets.length > 1;
    const back = this.data.index && sheet ? h("a", { class: "back", href: "#" }, "All") : null;
    const tabs = several && sheet && !this.data.index ? this.tabs(sheet) : null;
    return h(
      "header",
      { class: "page-head" },
      back,
      sheet ? verdictBadge(sheet.verdict) : null,
      h("h1", { title }, title),
      sheet && !tabs && sheet.name !== title ? h("span", { class: "sheet-name", title: sheet.name }, shortName(sheet.name)) : null,
      sheet?.expected && sheet.expected !== sheet.verdict ? h("span", { class: "expected" }, `expected: ${sheet.expected}`) : null,
      h("span", { class: "space" }),
      tabs,
      h("span", { class: "brand" }, `pmmc-check ${this.data.version}`),
      h("button", { type: "button", class: "theme", "aria-label": "Light or dark", title: "Light or dark", click: toggleTheme }, "◐"),
    );
  }

  private tabs(current: Sheet): HTMLElement {
    const links = this.data.sheets.map((sheet, number) => h("a", { href: `#sheet=${number}`, "aria-current": sheet === current ? "page" : null }, sheet.name));
    return h("nav", { class: "tabs", "aria-label": "Sheets" }, ...links);
  }
}

/** Of a file its name, without the folders before it. */
function shortName(name: string): string {
  return name.slice(name.lastIndexOf("/", name.length - 2) + 1);
}

function toggleTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset["theme"] ? root.dataset["theme"] === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset["theme"] = dark ? "light" : "dark";
}

const data = document.getElementById("data");
const root = document.getElementById("app");
if (data && root) {
  load(data).then(
    (loaded) => new App(root, loaded),
    (error: unknown) => replace(root, h("p", { class: "broken" }, `This page cannot be shown: its data cannot be read (${String(error)}).`)),
  );
}
