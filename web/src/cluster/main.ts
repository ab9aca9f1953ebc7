// A cluster while it runs: asked once a second, shown as it is. The page changes nothing.

import { count, h, plural, replace, s } from "../dom";
import { answers, type ClusterState, highestDecided, type NodeStatus, rate, type Sample, sampleOf, throughput } from "./state";

const EVERY = 1000;
const SAMPLES = 121;
const WIDTH = 600;
const HEIGHT = 90;

const samples: Sample[] = [];
let known: Record<string, string> = {};

const headline = h("dl", { class: "figures" });
const chart = h("div", { class: "chart" });
const table = h("tbody");
const faults = h("p", { class: "faults" });
const news = h("p", { class: "news", role: "status" });

function toggleTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset["theme"] ? root.dataset["theme"] === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset["theme"] = dark ? "light" : "dark";
}

function build(app: Element): void {
  const columns = ["node", "role", "state", "ballot", "decided", "performed", "messages a second", "sent again", "refused"];
  replace(
    app,
    h(
      "header",
      { class: "page-head" },
      h("h1", {}, "Cluster"),
      h("span", { class: "space" }),
      h("span", { class: "brand" }, "pmmc-check"),
      h("button", { type: "button", class: "theme", "aria-label": "Light or dark", title: "Light or dark", click: toggleTheme }, "◐"),
    ),
    h(
      "main",
      { class: "cluster" },
      news,
      headline,
      h("section", { "aria-labelledby": "throughput" }, h("h2", { id: "throughput" }, "Slots decided a second"), chart),
      h("section", { "aria-labelledby": "faults" }, h("h2", { id: "faults" }, "Faults"), faults),
      h(
        "section",
        { "aria-labelledby": "nodes" },
        h("h2", { id: "nodes" }, "Nodes"),
        h(
          "div",
          { class: "wide", tabindex: 0, role: "group", "aria-labelledby": "nodes" },
          h("table", {}, h("thead", {}, h("tr", {}, ...columns.map((name, index) => h("th", { scope: "col", class: index > 3 && "number" }, name)))), table),
        ),
      ),
    ),
  );
}

function stateOf(status: NodeStatus | string): string {
  if (typeof status === "string") return "down";
  return status.stopping ? "stopping" : status.paused ? "paused" : status.leads ? "leads" : "running";
}

function row(node: string, status: NodeStatus | string, before: Sample | undefined, now: Sample): HTMLElement {
  const state = h("td", {}, h("span", { class: `state is-${stateOf(status)}` }, stateOf(status)));
  const name = h("th", { scope: "row" }, node);
  if (typeof status === "string") return h("tr", { "data-node": node }, name, h("td"), state, h("td", { colspan: 6, class: "why" }, status));
  const rates = rate(before?.received[node], now.received[node] ?? 0, now.seconds - (before?.seconds ?? 0));
  const replica = status.role === "replica";
  const number = (value: number | string): HTMLElement => h("td", { class: "number" }, typeof value === "number" ? count(value) : value);
  return h(
    "tr",
    { "data-node": node },
    name,
    h("td", {}, status.role),
    state,
    h("td", { class: "ballot" }, status.ballot),
    number(replica ? status.decided : ""),
    number(replica ? status.performed : ""),
    number(Math.round(rates)),
    number(status.counts["sent again"] ?? 0),
    number(status.counts["bad frames"] ?? 0),
  );
}

function figures(state: ClusterState): void {
  const leading = answers(state).filter((each) => each.leads);
  const rates = throughput(samples).slice(-5);
  const mean = rates.length ? rates.reduce((sum, each) => sum + each, 0) / rates.length : 0;
  const up = answers(state).length;
  const rows: [string, string][] = [
    ["leader", leading.map((each) => `${each.node} with ballot ${each.ballot}`).join(", ") || "none at the moment"],
    ["slots decided", count(highestDecided(state))],
    ["decided a second", mean.toFixed(mean < 10 ? 1 : 0)],
    ["requests of this front", `${count(state.answered)} answered, ${count(state.unanswered)} not`],
    ["nodes that answer", `${up} of ${Object.keys(state.nodes).length}`],
  ];
  replace(headline, ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function draw(): void {
  const rates = throughput(samples);
  const most = Math.max(1, ...rates);
  const step = WIDTH / (SAMPLES - 2);
  const points = rates.map((each, index) => `${(WIDTH - (rates.length - 1 - index) * step).toFixed(1)},${(HEIGHT - (each / most) * (HEIGHT - 4)).toFixed(1)}`);
  const said = rates.length ? `The last ${plural(rates.length, "second")}: at most ${most.toFixed(0)}, now ${rates[rates.length - 1]!.toFixed(0)}` : "Nothing measured yet";
  replace(
    chart,
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said, preserveAspectRatio: "none" }, s("polyline", { points: points.join(" "), class: "line" })),
    h("p", { class: "scale", "aria-hidden": "true" }, said),
  );
}

/** Says what has changed, so that it is heard, too. */
function tell(state: ClusterState): void {
  const now = Object.fromEntries(Object.entries(state.nodes).map(([node, status]) => [node, stateOf(status)]));
  const changed = Object.entries(now).filter(([node, each]) => known[node] !== undefined && known[node] !== each);
  if (changed.length) news.textContent = changed.map(([node, each]) => `${node}: ${each}`).join(", ");
  news.classList.remove("is-lost");
  known = now;
}

function show(state: ClusterState): void {
  const before = samples[samples.length - 1];
  const now = sampleOf(state, performance.now() / 1000);
  samples.push(now);
  if (samples.length > SAMPLES) samples.shift();
  tell(state);
  figures(state);
  draw();
  replace(table, ...Object.entries(state.nodes).map(([node, status]) => row(node, status, before, now)));
  const listed = Object.entries(state.faults);
  faults.textContent = listed.length ? listed.map(([name, times]) => `${name} ${count(times)}`).join(", ") : "None made on purpose.";
}

async function look(): Promise<void> {
  try {
    const answer = await fetch("state");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show((await answer.json()) as ClusterState);
  } catch {
    news.textContent = "The cluster does not answer: it was stopped, or cannot be reached. What follows is how it was.";
    news.classList.add("is-lost");
  }
  setTimeout(() => void look(), EVERY);
}

build(document.getElementById("app")!);
void look();
