// What the cluster says of itself, once a second; and what follows from two such answers.

export interface NodeStatus {
  node: string;
  role: string;
  paused: boolean;
  stopping: boolean;
  decided: number;
  performed: number;
  ballot: string;
  leads: boolean;
  leaders: string[];
  counts: Record<string, number>;
  refused: string;
}

export interface ClusterState {
  /** By node: what it says, or why it says nothing. */
  nodes: Record<string, NodeStatus | string>;
  faults: Record<string, number>;
  answered: number;
  unanswered: number;
}

/** What the page keeps of one answer. */
export interface Sample {
  seconds: number;
  decided: number;
  answered: number;
  received: Record<string, number>;
}

export const answers = (state: ClusterState): NodeStatus[] => Object.values(state.nodes).filter((each): each is NodeStatus => typeof each !== "string");

export function highestDecided(state: ClusterState): number {
  return Math.max(0, ...answers(state).map((each) => each.decided));
}

export function received(status: NodeStatus): number {
  return Object.entries(status.counts).reduce((sum, [name, count]) => (name.startsWith("received ") ? sum + count : sum), 0);
}

export function sampleOf(state: ClusterState, seconds: number): Sample {
  const each = Object.entries(state.nodes).map(([node, status]): [string, number] => [node, typeof status === "string" ? 0 : received(status)]);
  return { seconds, decided: highestDecided(state), answered: state.answered, received: Object.fromEntries(each) };
}

/** How much something grew a second; a node that has come back begins at nothing, and did not shrink. */
export function rate(before: number | undefined, now: number, seconds: number): number {
  return before === undefined || seconds <= 0 ? 0 : Math.max(0, now - before) / seconds;
}

/** Decided slots a second, between each sample and the next. */
export function throughput(samples: Sample[]): number[] {
  return samples.slice(1).map((now, index) => {
    const before = samples[index]!;
    return rate(before.decided, now.decided, now.seconds - before.seconds);
  });
}
