"""The compiled search by several workers: each owns a part of the visited states, and expands a part of each level.

What it answers is to the last digit what one process answers, because everything that depends on an order is done in the same order:

- One process, the **head**, has the tables, calls the roles, and evaluates invariants, exactly as without workers. A worker has copies of
  the arrays that kernels read. What a worker's chunk lacks the head fills, batch after batch, as if it had expanded the chunks itself; so
  view numbers mean the same everywhere, and each role is called as often as without workers.
- The states of a level have an order; the first worker expands the first of them, and so on. A fingerprint belongs to the worker that its
  last 16 bits name, its **owner**, who alone knows whether it is new. Owners take in what workers have found in the workers' order, so of
  several states that lead to one the first becomes its predecessor.
- Whoever has found a new state builds it. So what travels is 16 bytes for each candidate, one back, and states only where the next
  level is shared out anew.

A level is a barrier. Behind it each worker writes down what the level has brought it (`levels`): when a worker dies all go back to the last
level that all have written, with as many workers as there then are."""
