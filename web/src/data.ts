// What report/page writes into the page: the types of the embedded JSON, and how it is read.

/** process, field, then before and after; or, of a set, what comes, what goes, and 1. */
export type RawChange = [number, number, string | null, string | null] | [number, number, string[], string[], 1];

/** kind, process, label, message, sends, changes, marks (bits), inferred; file and line, where the event is recorded. */
export type RawEvent = [number, number, string, number, number[], RawChange[], number, 0 | 1, number?, number?];

/** kind, text, sender, recipient, sent at, received at, dropped at, fate, ballot, slot (0: none); -1 stands for none. */
export type RawMessage = [number, string, number, number, number, number[], number, number, number, number];

export interface RunData {
  source: string;
  title: string;
  verdict: string;
  facts: [string, string][];
  explanation: [string, number | null][][];
  processes: [string, string, number | null][];
  eventKinds: string[];
  fates: string[];
  marks: string[];
  messageKinds: string[];
  ballots: string[];
  fields: string[];
  files: string[];
  events: RawEvent[];
  messages: RawMessage[];
}

export interface SearchData {
  headline: string;
  facts: [string, string][];
  levels: number[];
  coverage: [string, string, number, number, string][];
  /** Name, verdict, and for what it was checked where that differs. */
  invariants: [string, string, string?][];
  /** Of a search for every number of slots: the parts of its argument. */
  parts?: { premises: Premises; oneSlot: Part; replica: Part };
}

export interface Premises {
  /** Name, statement, steps compared, and how many of them in a weaker form. */
  rows: [string, string, number, number][];
  note: string;
}

export interface Part {
  verdict: string;
  facts: [string, string][];
  /** What a replica by itself does to break an invariant: what it receives, its state afterwards. */
  run: [string, string][];
}

export interface Sheet {
  name: string;
  verdict: string;
  summary: string;
  expected?: string;
  status?: string;
  good?: boolean;
  seconds?: number;
  run?: RunData;
  search?: SearchData;
  lines?: string[];
}

export interface PageData {
  title: string;
  version: string;
  /** Whether the page begins with a table of all sheets. */
  index: boolean;
  sheets: Sheet[];
}

/** Reads the embedded data; packed data is unpacked by the browser, without any request. */
export async function load(element: HTMLElement): Promise<PageData> {
  const text = element.textContent ?? "";
  if (element.dataset["packed"] !== "gzip") return JSON.parse(text) as PageData;
  const packed = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text()) as PageData;
}
