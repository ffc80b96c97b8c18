#!/usr/bin/env bash
# Runs the main job without Slicer: Testing/demo.sh [COHORT]
# Opens the panels of both modules without Slicer: Testing/demo.sh --panels [COHORT]
# Without a cohort folder a synthetic one is made first. Everything that is written goes to
# demo-output/ (or the folder named by the variable DEMO_OUTPUT); the cohort itself stays untouched.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
panels=no
if [ "${1:-}" = --panels ]; then
  panels=yes
  shift
fi
"$root/Testing/setup.sh"
output=${DEMO_OUTPUT:-$root/demo-output}
mkdir -p "$output"
cohort=${1:-}
if [ -z "$cohort" ]; then
  cohort=$output/synthetic/cohort
  [ -f "$output/synthetic/factors.csv" ] || "$root/.venv/bin/python" -m MultimodalImagingLib.synthetic_cohort "$output/synthetic" --cases 36
fi
if [ "$panels" = yes ]; then
  export PYTHONPATH="$root/Testing/SlicerHost:$root/MDALSelector:$root/CIMLSegment"
  exec "$root/.venv/bin/python" -m slicer_host --cohort "$cohort"
fi
"$root/.venv/bin/mdal-selector" inspect "$cohort"
"$root/.venv/bin/mdal-selector" select "$cohort" --budget 20% --strategy DiverseMD --record "$output/record"
