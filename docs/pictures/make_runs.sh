#!/usr/bin/env bash
# Makes the picture of docs/exchange.md. Needs PlantUML, and pmmc-check on the path.
set -euo pipefail
cd "$(dirname "$0")"

pmmc-check explore --acceptors 1 --leaders 1 --replicas 1 --slots 1 --network reliable --find 'Decided(1, c1)' --quiet --export decided.puml > /dev/null
plantuml -charset UTF-8 -tsvg decided.puml
rm decided.puml
