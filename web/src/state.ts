// The states of all processes after a step. Going forward applies what events change, going back takes it back, so no state is kept twice.
import type { RawChange } from "./data";
import type { Run } from "./run";

export type Value = string | Set<string>;
export type Fields = Map<number, Value>;

export class States {
  /** By process: its fields by number; empty before it exists. */
  readonly now: Fields[];
  private at = -1;
  private readonly undo: (() => void)[][] = [];

  constructor(private readonly run: Run) {
    this.now = run.processes.map(() => new Map());
  }

  go(index: number): void {
    while (this.at < index) this.forward();
    while (this.at > index) {
      for (const back of (this.undo.pop() ?? []).reverse()) back();
      this.at -= 1;
    }
  }

  private forward(): void {
    this.at += 1;
    const backs: (() => void)[] = [];
    for (const change of this.run.data.events[this.at]?.[5] ?? []) {
      const fields = this.now[change[0]];
      if (fields) backs.push(apply(fields, change));
    }
    this.undo.push(backs);
  }
}

function apply(fields: Fields, change: RawChange): () => void {
  const field = change[1];
  const old = fields.get(field);
  const restore = (): void => void (old === undefined ? fields.delete(field) : fields.set(field, old));
  if (change.length === 4) {
    if (change[3] === null) fields.delete(field);
    else fields.set(field, change[3]);
    return restore;
  }
  const [, , added, removed] = change;
  if (!(old instanceof Set)) {
    fields.set(field, new Set(added));
    return restore;
  }
  for (const member of removed) old.delete(member);
  for (const member of added) old.add(member);
  return () => {
    for (const member of added) old.delete(member);
    for (const member of removed) old.add(member);
  };
}
