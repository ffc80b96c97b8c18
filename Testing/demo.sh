#!/usr/bin/env bash
# Runs the main job without Slicer: Testing/demo.sh [COHORT]
# Without a cohort folder a synthetic one is made first. Everything that is written goes to
# demo-output/ (or the folder named by the variable DEMO_OUTPUT); the cohort itself stays untouched.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/Testing/setup.sh"
output=${DEMO_OUTPUT:-$root/demo-output}
mkdir -p "$output"
cohort=${1:-}
if [ -z "$cohort" ]; then
  "$root/.venv/bin/python" -m MultimodalImagingLib.synthetic_cohort "$output/synthetic" --cases 36
  cohort=$output/synthetic/cohort
fi
record=$output/record
"$root/.venv/bin/mdal-selector" inspect "$cohort"
"$root/.venv/bin/mdal-selector" select "$cohort" --budget 20% --strategy DiverseMD --record "$record"
