#!/usr/bin/env bash
# Makes the pictures of docs/graphs.md. Needs Graphviz, and pmmc-check on the path.
set -euo pipefail
cd "$(dirname "$0")"

draw() {
  pmmc-check explore --quiet --format json "$@" > /dev/null || [ $? = 1 ]  # 1: violated, which some of them are
}

draw --acceptors 1 --leaders 1 --replicas 1 --slots 1 --network reliable --graph all-states.svg
draw --acceptors 3 --leaders 1 --replicas 1 --slots 1 --graph one-decision.svg --observe decided,ballots,chosen
draw --acceptors 1 --leaders 1 --replicas 2 --slots 1 --commands 2 --network reliable --variant overwrite-proposal \
  --invariant Agreement --graph overwritten.svg --observe chosen,decided
