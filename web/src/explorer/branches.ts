// Where this tab has been: paths with the labels of their last steps. It belongs to the tab, so tabs are independent, and it survives a reload.

const KEY = "visited";

export interface Branch {
  path: string;
  label: string;
  children: Branch[];
}

export class Branches {
  private readonly labels: Map<string, string>;
  /** By path: the step that was taken from there last. */
  private readonly onward = new Map<string, string>();

  constructor() {
    this.labels = new Map(JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as [string, string][]);
    for (const path of this.labels.keys()) this.onward.set(parent(path), path);
  }

  /** The states on the way to `path` count as visited, too; `labels` are those of its steps. */
  add(path: string, labels: string[]): void {
    const numbers = path ? path.split(".") : [];
    numbers.forEach((_, index) => {
      const part = numbers.slice(0, index + 1).join(".");
      this.labels.set(part, labels[index] ?? this.labels.get(part) ?? "");
      this.onward.set(parent(part), part);
    });
    sessionStorage.setItem(KEY, JSON.stringify([...this.labels]));
  }

  has(path: string): boolean {
    return path === "" || this.labels.has(path);
  }

  next(path: string): string | undefined {
    return this.onward.get(path);
  }

  get size(): number {
    return this.labels.size + 1;
  }

  tree(): Branch {
    const root: Branch = { path: "", label: "the start", children: [] };
    const known = new Map([["", root]]);
    const paths = [...this.labels.keys()].sort((a, b) => a.split(".").length - b.split(".").length);
    for (const path of paths) {
      const branch = { path, label: this.labels.get(path) ?? "", children: [] };
      known.set(path, branch);
      known.get(parent(path))?.children.push(branch);
    }
    return root;
  }
}

export function parent(path: string): string {
  return path.split(".").slice(0, -1).join(".");
}

export function child(path: string, number: number): string {
  return path ? `${path}.${number}` : String(number);
}

export function depth(path: string): number {
  return path ? path.split(".").length : 0;
}

/** The first `steps` steps of a path. */
export function prefix(path: string, steps: number): string {
  return path.split(".").slice(0, steps).join(".");
}
