/**
 * Strongly connected components of a graph.
 *
 * @module
 */

interface Visit {
  readonly node: number;
  readonly next: Iterator<number>;
}

/**
 * The groups of nodes that reach each other, among all nodes that can be reached from `roots` (Tarjan, 1972; without
 * recursion, so that a long chain cannot overflow the stack).
 */
export function components(roots: Iterable<number>, next: (node: number) => readonly number[]): number[][] {
  const order = new Map<number, number>();
  const lowest = new Map<number, number>();
  /** The nodes that are in no group yet, in the order in which they were entered. */
  const entered: number[] = [];
  const open = new Set<number>();
  const found: number[][] = [];
  const path: Visit[] = [];
  const lower = (node: number, to = Infinity) => lowest.set(node, Math.min(lowest.get(node) ?? Infinity, to));

  const enter = (node: number) => {
    lower(node, order.size);
    order.set(node, order.size);
    entered.push(node);
    open.add(node);
    path.push({ node, next: next(node).values() });
  };
  const leave = ({ node }: Visit) => {
    path.pop();
    const before = path.at(-1);
    if (before) lower(before.node, lowest.get(node));
    if (lowest.get(node) !== order.get(node)) return;
    const group = entered.splice(entered.lastIndexOf(node));
    for (const member of group) open.delete(member);
    found.push(group);
  };

  for (const root of roots) {
    if (!order.has(root)) enter(root);
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const step = visit.next.next();
      if (step.done) leave(visit);
      else if (!order.has(step.value)) enter(step.value);
      else if (open.has(step.value)) lower(visit.node, order.get(step.value));
    }
  }
  return found;
}
