// The table of all sheets: what is wrong comes first, and a click leaves only that.
import type { PageData, Sheet } from "./data";
import { count, h, replace } from "./dom";

/** What a sheet counts as in the table: its status where checks have one, else its verdict. */
function kind(sheet: Sheet): string {
  return sheet.status ?? sheet.verdict;
}

function good(sheet: Sheet): boolean {
  return sheet.good ?? ["accepted", "holds", "reached"].includes(sheet.verdict);
}

/** How many sheets there are of each kind, those that are not good first. */
function kinds(data: PageData): [string, number][] {
  const numbers = new Map<string, number>();
  for (const sheet of inOrder(data)) numbers.set(kind(sheet), (numbers.get(kind(sheet)) ?? 0) + 1);
  return [...numbers];
}

function inOrder(data: PageData): Sheet[] {
  return [...data.sheets.filter((each) => !good(each)), ...data.sheets.filter(good)];
}

export function indexView(data: PageData): HTMLElement {
  const gate = data.sheets.some((each) => each.status !== undefined);
  const folder = commonFolder(data.sheets.map((each) => each.name));
  const body = h("tbody");
  const show = (only: string | null): void => replace(body, ...inOrder(data).filter((each) => only === null || kind(each) === only).map((each) => row(data, each, gate, folder)));
  show(null);
  const titles = ["name", ...(gate ? ["verdict", "expected", "time"] : ["verdict"]), gate ? "finding" : "summary"];
  const head = h("tr", {}, ...titles.map((each) => h("th", { scope: "col", class: each === "time" ? "number" : null }, each)));
  const place = folder ? h("p", { class: "folder" }, "in ", h("code", {}, folder)) : null;
  return h("main", { class: "index" }, chips(data, show), place, h("div", { class: "card" }, h("table", {}, h("thead", {}, head), body)));
}

/** Buttons that leave only the sheets of one kind; where all are of one kind, a word about that. */
function chips(data: PageData, show: (only: string | null) => void): HTMLElement {
  const found = kinds(data);
  if (found.length < 2) return h("p", { class: "folder" }, `${data.sheets.length > 1 ? "all " : ""}${count(data.sheets.length)} ${found[0]?.[0] ?? "sheets"}`);
  const choices: [string | null, string][] = [[null, `all ${count(data.sheets.length)}`], ...found.map(([name, number]): [string, string] => [name, `${count(number)} ${name}`])];
  const bad = new Set(data.sheets.filter((each) => !good(each)).map(kind));
  const buttons = choices.map(([name, text]) => h("button", { type: "button", class: `chip ${name === null ? "" : bad.has(name) ? "bad" : "good"}`, "aria-pressed": name === null ? "true" : "false", click: () => choose(name) }, text));
  const choose = (name: string | null): void => {
    choices.forEach(([each], number) => buttons[number]?.setAttribute("aria-pressed", each === name ? "true" : "false"));
    show(name);
  };
  return h("div", { class: "chips", role: "group", "aria-label": "Show" }, ...buttons);
}

function row(data: PageData, sheet: Sheet, gate: boolean, folder: string): HTMLElement {
  const name = h("a", { href: `#sheet=${data.sheets.indexOf(sheet)}`, title: sheet.name }, sheet.name.slice(folder.length) || sheet.name);
  const status = gate ? h("span", { class: `status-word ${sheet.good ? "good" : "bad"}` }, `${sheet.good ? "✓" : "✗"} ${sheet.status ?? ""}`) : null;
  const cells = [
    h("td", { class: "of-name" }, name, sheet.run ? h("span", { class: "has-run", title: "with its run" }, " ▸ run") : null),
    h("td", { class: "of-verdict" }, verdictBadge(sheet.verdict), status),
  ];
  if (gate) cells.push(h("td", { class: "of-expected" }, sheet.expected ?? ""), h("td", { class: "number" }, `${(sheet.seconds ?? 0).toFixed(2)} s`));
  return h("tr", { class: good(sheet) ? "is-good" : "is-bad" }, ...cells, h("td", { class: "of-summary" }, sheet.summary));
}

/** The folder that all names begin with, its slash included; none where there is one name only. */
function commonFolder(names: string[]): string {
  const [first = "", ...others] = names;
  if (!others.length) return "";
  const parts = first.split("/").slice(0, -1);
  while (parts.length && !others.every((each) => each.startsWith(`${parts.join("/")}/`))) parts.pop();
  return parts.length ? `${parts.join("/")}/` : "";
}

export function verdictBadge(verdict: string): HTMLElement {
  return h("span", { class: `verdict ${verdict.replace(/\s/g, "-")}` }, verdict);
}
