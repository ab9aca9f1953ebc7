// The panels: the steps that can be taken, whole states, properties, branches, the search.
import { count, h, plural } from "../dom";
import type { Child } from "../dom";
import type { About, Choice, SearchAnswer, StateAnswer } from "./api";
import { child } from "./branches";
import type { Branch, Branches } from "./branches";

export type Go = (path: string) => void;

export function choices(state: StateAnswer, branches: Branches, go: Go): HTMLElement[] {
  const deliveries = state.choices.filter((each) => !each.fault);
  const faults = state.choices.filter((each) => each.fault);
  const made = (each: Choice): HTMLElement => choice(state, each, branches, go);
  const parts: HTMLElement[] = [];
  if (deliveries.length) parts.push(h("ol", { class: "x-choices" }, ...grouped(deliveries).flatMap(([process, group]) => [h("li", { class: "receiver" }, process), ...group.map(made)])));
  else parts.push(h("p", { class: "x-end" }, "Nothing can be delivered any more."));
  if (faults.length) parts.push(h("h3", {}, "Faults"), h("ol", { class: "x-choices" }, ...faults.map(made)));
  return parts;
}

function grouped(list: Choice[]): [string, Choice[]][] {
  const groups = new Map<string, Choice[]>();
  for (const each of list) groups.set(each.process, [...(groups.get(each.process) ?? []), each]);
  return [...groups];
}

function choice(state: StateAnswer, each: Choice, branches: Branches, go: Go): HTMLElement {
  const path = child(state.path, each.number);
  const known = branches.has(path);
  const label = each.fault ? each.label : each.label.replace(/ → [^→]*$/, "");
  return h(
    "li",
    {},
    h(
      "button",
      { class: `x-choice ${each.wrong ? "wrong" : ""}`, type: "button", "data-number": each.number, click: () => go(path) },
      h("span", { class: "key" }, String(each.number)),
      h("span", { class: "what" }, h("span", { class: "x-label" }, label, !each.fault && h("span", { class: "sr-only" }, ` → ${each.process}`)), each.wrong && h("span", { class: "x-wrong", title: "the paper's protocol would not take this step" }, "!"), known && h("span", { class: "tick", title: "taken before" }, "✓", h("span", { class: "sr-only" }, " taken before")), h("span", { class: "effect" }, each.effect)),
    ),
  );
}

export function states(answer: StateAnswer): HTMLElement[] {
  const byProcess = new Map<string, StateAnswer["states"]>();
  for (const row of answer.states) byProcess.set(row[0], [...(byProcess.get(row[0]) ?? []), row]);
  const shown = [...byProcess].filter(([, rows]) => !rows.every((row) => row[2] === "not started" || row[2] === "has no variables"));
  const changed = shown.filter(([, rows]) => rows.some((row) => row[3] !== null));
  const others = shown.filter((each) => !changed.includes(each));
  const title = (text: string): HTMLElement => h("h2", { class: "group-title" }, text);
  return [...(changed.length ? [title("Changed by the last step"), ...changed.map(card)] : []), title(changed.length ? "As before" : "All processes"), ...others.map(card)];
}

function card([process, rows]: [string, StateAnswer["states"]]): HTMLElement {
  return h("section", { class: "x-process" }, h("h3", {}, process), h("table", {}, h("tbody", {}, ...rows.map(variable))));
}

function variable([, name, value, before]: StateAnswer["states"][number]): HTMLElement {
  const cells: Child[] = [h("span", { class: "value" }, value)];
  if (before !== null) cells.unshift(h("del", {}, before), h("span", { class: "becomes", "aria-hidden": "true" }, "→"));
  return h("tr", { class: before === null ? "" : "changed" }, h("th", { scope: "row" }, name || "status"), h("td", {}, ...cells));
}

export function properties(about: About, state: StateAnswer, go: (depth: number) => void): HTMLElement[] {
  const broken = new Map(state.broken);
  const at = (depth: number | undefined): Child => depth !== undefined && h("button", { class: "link", type: "button", click: () => go(depth) }, `step ${depth}`);
  const invariants = about.invariants.map(([name, statement]) => {
    const since = state.brokenAt[name];
    const how = broken.get(name);
    const cls = how ? "is-broken" : since === undefined ? "holds" : "was-broken";
    return h("li", { class: cls }, h("b", {}, name), " ", h("span", { class: "x-verdict" }, how ? "broken here" : since === undefined ? "holds" : "broken in "), since !== undefined && !how && at(since), h("div", { class: "statement" }, how ?? statement));
  });
  const witnesses = about.witnesses.map(([name, statement]) => {
    const since = state.reachedAt[name];
    return h("li", { class: since === undefined ? "" : "holds" }, h("b", {}, name), " ", h("span", { class: "x-verdict" }, since === undefined ? "not reached yet" : "reached in "), at(since), h("div", { class: "statement" }, statement));
  });
  const parts = [h("h3", {}, "Invariants"), h("ul", { class: "properties" }, ...invariants)];
  if (witnesses.length) parts.push(h("h3", {}, "Witnesses"), h("ul", { class: "properties" }, ...witnesses));
  return parts;
}

/** The tree of states; a chain without branches is one line. */
export function tree(branches: Branches, here: string, go: Go): HTMLElement {
  const chain = (branch: Branch): HTMLElement => {
    const line: Branch[] = [branch];
    let last = branch;
    while (last.children.length === 1 && last.children[0] && last.path !== here) {
      last = last.children[0];
      line.push(last);
    }
    const skipped = line.length - 1;
    const button = h("button", { class: `link ${last.path === here ? "here" : ""}`, type: "button", "aria-current": last.path === here ? "true" : null, title: last.path, click: () => go(last.path) }, last.label || "the start");
    const steps = h("span", { class: "steps" }, skipped > 0 ? `after ${plural(skipped + (branch.path ? 1 : 0), "step")}` : "");
    return h("li", {}, button, " ", steps, last.children.length > 0 && h("ul", {}, ...last.children.map(chain)));
  };
  return h("ul", { class: "tree" }, chain(branches.tree()));
}

export function searched(answer: SearchAnswer | null, go: Go): Child[] {
  if (!answer) return [];
  const seconds = `${answer.seconds.toFixed(1)} s`;
  if (answer.error) return [h("span", { class: "verdict-badge inconclusive" }, "search"), ` ${answer.error}`];
  if (answer.running) return [h("span", { class: "verdict-badge running" }, "searching"), ` ${count(answer.states ?? 0)} states, depth ${answer.depth ?? 0}, ${seconds}`];
  const verdict = answer.verdict ?? "inconclusive";
  const told: Child[] = [h("span", { class: `verdict-badge ${verdict}` }, verdict)];
  if (answer.path !== null && answer.path !== undefined) {
    const path = answer.path;
    told.push(` ${answer.violated ?? ""}: `, h("button", { class: "link", type: "button", id: "counterexample", click: () => go(path) }, "show the counterexample"));
  } else told.push(` ${answer.limit ?? `all ${count(answer.states ?? 0)} states searched`}, ${seconds}`);
  return told;
}
