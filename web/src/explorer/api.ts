// What the server answers (pmmc_check/explorer/server/answers.py), and how it is asked.
import type { RunData } from "../data";

export interface Choice {
  number: number;
  process: string;
  label: string;
  effect: string;
  fault: boolean;
  wrong: boolean;
}

/** process, variable, value, and what the last step changed it from. */
export type StateRow = [string, string, string, string | null];

export interface StateAnswer {
  path: string;
  depth: number;
  choices: Choice[];
  states: StateRow[];
  broken: [string, string][];
  brokenAt: Record<string, number>;
  reachedAt: Record<string, number>;
  run: RunData;
  ended: boolean;
}

export interface About {
  size: string;
  network: string;
  variants: string[];
  /** The recorded run that was loaded: the path to its end, and what there is to say of it. */
  recorded: { path: string; told: string[] } | null;
  invariants: [string, string][];
  witnesses: [string, string][];
}

export interface SearchAnswer {
  running: boolean;
  seconds: number;
  states?: number;
  depth?: number;
  verdict?: string;
  limit?: string | null;
  violated?: string | null;
  how?: string | null;
  path?: string | null;
  error?: string;
}

export class Refused extends Error {}

async function answer<T>(response: Response): Promise<T> {
  if (response.status === 403) throw new Refused("The server has been started anew, with another token. Open the address that it printed, and put this after it: " + location.hash);
  const body = (await response.json()) as T;
  const problem = (body as { error?: string } | null)?.error;
  if (!response.ok || (problem !== undefined && !("running" in (body as object)))) throw new Error(problem ?? `the server answered ${response.status}`);
  return body;
}

function address(name: string, asked: Record<string, string>): string {
  const query = new URLSearchParams(asked).toString();
  return query ? `${name}?${query}` : name;
}

export async function ask<T>(name: string, asked: Record<string, string> = {}): Promise<T> {
  return answer<T>(await fetch(address(name, asked)));
}

export async function command(path: string, line: string): Promise<{ path: string; said: string }> {
  return answer(await fetch("command", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ path, line }) }));
}

export async function whyNot(path: string, message: string): Promise<string[]> {
  return (await ask<{ answers: string[] }>("why-not", { path, message })).answers;
}
