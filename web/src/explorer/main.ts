// The explorer: one state at a time, named by the fragment of the address. All that it shows is asked of the server, whose engine is that of `pmmc-check step`.
import { h, replace } from "../dom";
import { Rows, noFilter } from "../rows";
import { Run } from "../run";
import { Timeline } from "../timeline";
import { ask, command, whyNot } from "./api";
import type { About, SearchAnswer, StateAnswer } from "./api";
import { Branches, child, depth, parent, prefix } from "./branches";
import * as panels from "./panels";

const POLL_MS = 700;
const TABS = ["State", "Properties", "Branches"] as const;

class Explorer {
  private readonly branches = new Branches();
  private readonly crumbs = h("nav", { class: "crumbs", "aria-label": "Where we are" });
  private readonly search = h("div", { class: "search-state", role: "status" });
  private readonly next = h("div", { class: "next" });
  private readonly diagram = h("div", { class: "diagram" });
  private readonly panel = h("div", { class: "x-panel", role: "tabpanel", tabindex: 0, "aria-label": "Details" });
  private readonly tabs = h("div", { class: "x-tabs", role: "tablist" });
  private readonly alerts = h("div", { class: "alerts", "aria-live": "polite" });
  private readonly said = h("pre", { class: "said", role: "status" });
  private readonly line = h("input", { type: "text", id: "command", autocomplete: "off", spellcheck: "false", placeholder: "until decided", "aria-label": "A command: until, random, take, crash, restart, drop, why not" });
  private state: StateAnswer | undefined;
  private tab: (typeof TABS)[number] = "State";
  private unfolded = new Set<number>();
  private asked = 0;

  constructor(private readonly about: About) {
    const form = h("form", { class: "command", submit: (event: SubmitEvent) => (event.preventDefault(), void this.run()) }, h("label", { for: "command" }, "›"), this.line, h("button", { type: "submit" }, "Run"));
    const quick = h("div", { class: "quick" }, ...["until decided", "until violated", "random 10", "until end"].map((line) => h("button", { type: "button", click: () => void this.carryOut(line) }, line)));
    const ask = h("form", { class: "command", submit: (event: SubmitEvent) => (event.preventDefault(), void this.why(event)) }, h("label", { for: "why" }, "why not"), h("input", { type: "text", id: "why", name: "message", autocomplete: "off", spellcheck: "false", placeholder: "p2a(0.L1) to A1" }), h("button", { type: "submit" }, "Ask"));
    const left = h("section", { class: "side left", "aria-label": "What can happen next" }, h("h2", {}, "Next"), this.next, h("div", { class: "tools" }, quick, form, ask, this.said));
    const right = h("section", { class: "side right", "aria-label": "State, properties and branches" }, this.tabs, this.panel);
    const title = h("div", { class: "title" }, h("h1", {}, "pmmc-check"), h("p", {}, about.size, about.variants.length > 0 && h("b", {}, ` with ${about.variants.join(", ")}`)), h("p", { class: "network", title: about.network }, about.network.split(":")[0] ?? "", " network"));
    replace(document.getElementById("app") ?? document.body, h("header", { class: "top" }, title, this.search), h("div", { class: "bar" }, this.crumbs, h("div", { class: "buttons" }, this.button("back", "← Back", () => this.back()), this.button("forward", "Forward →", () => this.forward()), this.button("restart", "Start", () => this.go("")), about.recorded && this.button("recorded", "Recorded run", () => this.go(about.recorded?.path ?? "")), this.button("save", "Save as trace", () => void this.save()))), this.alerts, h("main", { class: "explorer" }, left, this.diagram, right));
    window.addEventListener("hashchange", () => void this.show());
    document.addEventListener("keydown", (event) => this.pressed(event));
    void this.show();
    void this.watch();
  }

  private button(name: string, text: string, act: () => void): HTMLElement {
    return h("button", { type: "button", id: name, click: act }, text);
  }

  private get path(): string {
    return location.hash.slice(1);
  }

  private go(path: string): void {
    if (path === this.path) void this.show();
    else location.hash = path;
  }

  private back(): void {
    if (this.path) this.go(parent(this.path));
  }

  private forward(): void {
    const next = this.branches.next(this.path);
    if (next !== undefined) this.go(next);
  }

  private pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.target as Element).matches("input, [role=listbox], [role=listbox] *")) return;
    if (event.key === "ArrowLeft" || event.key === "Backspace") this.back();
    else if (event.key === "ArrowRight") this.forward();
    else if (event.key === "/") this.line.focus();
    else if (/^[1-9]$/.test(event.key) && this.state?.choices[Number(event.key) - 1]) this.go(child(this.state.path, Number(event.key)));
    else return;
    event.preventDefault();
  }

  /** Shows the state that the address names. Of several answers only that to the last question counts. */
  private async show(): Promise<void> {
    const number = ++this.asked;
    document.body.classList.add("waiting");
    try {
      const state = await ask<StateAnswer>("state", { path: this.path });
      if (number !== this.asked) return;
      this.state = state;
      this.branches.add(state.path, state.run.events.slice(1).map((event) => event[2]));
      this.draw(state);
    } catch (error) {
      if (number === this.asked) this.fail(error);
    } finally {
      if (number === this.asked) document.body.classList.remove("waiting");
    }
  }

  private fail(error: unknown): void {
    replace(this.alerts, h("p", { class: "alert", role: "alert" }, error instanceof Error ? error.message : String(error)));
  }

  private draw(state: StateAnswer): void {
    document.title = state.depth ? `step ${state.depth} · pmmc-check` : "the start · pmmc-check";
    const broken = state.broken.map(([name, how]) => h("p", { class: "alert is-broken" }, h("b", {}, `${name} is broken`), `: ${how}`));
    const ended = state.ended && h("p", { class: "alert note" }, "Nothing can happen any more.");
    const recorded = this.about.recorded;
    const loaded = recorded && recorded.path === state.path && h("details", { class: "alert note loaded", open: true }, h("summary", {}, recorded.told[0] ?? ""), ...recorded.told.slice(1).map((each) => h("p", {}, each)));
    replace(this.alerts, loaded, ...broken, ended);
    this.drawCrumbs(state);
    replace(this.next, ...panels.choices(state, this.branches, (path) => this.go(path)));
    this.drawDiagram(state);
    this.drawTabs(state);
  }

  private drawCrumbs(state: StateAnswer): void {
    const where = state.depth ? `Step ${state.depth}` : "The start";
    replace(this.crumbs, h("b", {}, where), state.depth > 0 && h("span", { class: "path", title: "the numbers of the choices from the start; the address names this state" }, state.path.length > 60 ? `…${state.path.slice(-60)}` : state.path));
    const set = (name: string, off: boolean): void => void document.getElementById(name)?.toggleAttribute("disabled", off);
    set("back", !state.path);
    set("restart", !state.path);
    set("save", !state.path);
    set("forward", this.branches.next(state.path) === undefined);
  }

  private drawDiagram(state: StateAnswer): void {
    const run = new Run(state.run);
    const timeline = new Timeline(run, {
      select: (event) => this.go(prefix(state.path, event)),
      fold: (leader) => {
        if (!this.unfolded.delete(leader)) this.unfolded.add(leader);
        this.drawDiagram(state);
      },
    });
    replace(this.diagram, timeline.element);
    timeline.show(new Rows(run, noFilter()), this.unfolded, new Set());
    timeline.select(run.length - 1);
  }

  private drawTabs(state: StateAnswer): void {
    const tab = (name: (typeof TABS)[number]): HTMLElement =>
      h("button", { role: "tab", type: "button", "aria-selected": name === this.tab ? "true" : "false", click: () => ((this.tab = name), this.drawTabs(state)) }, name === "Branches" ? `${name} (${this.branches.size})` : name, name === "Properties" && Object.keys(state.brokenAt).length > 0 && h("span", { class: "dot-bad", title: "something is broken" }));
    replace(this.tabs, ...TABS.map(tab));
    if (this.tab === "State") replace(this.panel, ...panels.states(state));
    else if (this.tab === "Properties") replace(this.panel, ...panels.properties(this.about, state, (steps) => this.go(prefix(state.path, steps))));
    else replace(this.panel, panels.tree(this.branches, state.path, (path) => this.go(path)));
  }

  private async run(): Promise<void> {
    await this.carryOut(this.line.value);
    this.line.value = "";
  }

  private async carryOut(line: string): Promise<void> {
    this.said.textContent = line ? `${line} …` : "";
    try {
      const { path, said } = await command(this.path, line);
      this.said.textContent = said || (path === this.path ? "" : `${line}: ${depth(path)} steps from the start`);
      if (path !== this.path) this.go(path);
    } catch (error) {
      this.said.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  private async why(event: SubmitEvent): Promise<void> {
    const message = new FormData(event.target as HTMLFormElement).get("message");
    try {
      this.said.textContent = (await whyNot(this.path, String(message ?? ""))).join("\n");
    } catch (error) {
      this.said.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  private async save(): Promise<void> {
    const response = await fetch(`trace?${new URLSearchParams({ path: this.path }).toString()}`);
    if (!response.headers.get("content-type")?.startsWith("text/plain")) {
      this.said.textContent = ((await response.json()) as { error: string }).error;
      return;
    }
    const link = h("a", { href: URL.createObjectURL(await response.blob()), download: "run.pmmc" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  private async watch(): Promise<void> {
    for (;;) {
      try {
        const answer = await ask<SearchAnswer | null>("search");
        replace(this.search, ...panels.searched(answer, (path) => this.go(path)));
        if (!answer?.running) return;
      } catch {
        replace(this.search, "the server has ended");
        return;
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }
}

ask<About>("about").then((about) => new Explorer(about)).catch((error: unknown) => {
  document.getElementById("app")?.replaceChildren(h("p", { class: "alert", role: "alert" }, error instanceof Error ? error.message : String(error)));
});
