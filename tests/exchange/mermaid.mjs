// Parses Mermaid texts, given as a JSON array on standard input, and prints what Mermaid has understood, as JSON.
import { JSDOM } from "jsdom";
import { readFileSync } from "node:fs";

const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document, Option: window.Option });
const mermaid = (await import("mermaid")).default;
mermaid.initialize({ startOnLoad: false });

const understood = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  const { type, db } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const actors = [...db.getActors().entries()].map(([alias, actor]) => [alias, actor.description]);
  const boxes = db.getBoxes().map((box) => [box.name, box.actorKeys]);
  understood.push({ type, actors, boxes, lines: db.LINETYPE, messages: db.getMessages() });
}
console.log(JSON.stringify(understood));
