#!/usr/bin/env bash
# Runs the main job without Slicer: Testing/demo.sh [COHORT [--labels FOLDER] [--task TASK] [--primary MODALITY]]
#   inspect, select, train on the labels of the suggested cases, segment the rest, evaluate, report.
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
python=$root/.venv/bin/python
output=${DEMO_OUTPUT:-$root/demo-output}
if [ $# -eq 0 ]; then
  output=$output/synthetic
  mkdir -p "$output"
  [ -f "$output/factors.csv" ] || "$python" -m MDALSelectorLib.synthetic_cohort "$output" --cases 36
  set -- "$output/cohort" --labels "$output/reference" --quick-from brain-mr-demonstration
else
  path=$(realpath --canonicalize-missing -- "$1")
  output=$output/$(basename -- "$path")-$(printf %s "$path" | sha256sum | cut -c1-6)
fi
if [ "$panels" = yes ]; then
  export PYTHONPATH="$root/Testing/SlicerHost:$root/MDALSelector:$root/CIMLSegment"
  exec "$python" -m slicer_host --cohort "$1"
fi
exec "$python" "$root/Testing/Helpers/main_job.py" "$@" --output "$output"
