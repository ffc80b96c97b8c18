"""How far influence is from the prediction that labels come of, and what it costs.

python Testing/Evidence/influence_blending.py CASE --model MODEL

Influences add up to the blended probabilities of windows; labels come of blended logits. Prints per
region the largest and the mean difference of the two where either reaches 1 %, the voxels of the
working grid that only one of them puts above one half, and the CPU time with and without influence.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parents[2] / "CIMLSegment"))

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.case_input import cases_of_path
from CIMLSegmentLib.inference.influence import NOTICED, InfluenceChannel
from CIMLSegmentLib.inference.segment_case import predict_prepared
from CIMLSegmentLib.inference.sliding_window import WindowedOutput
from CIMLSegmentLib.model.model import TrainedModel, load_model
from CIMLSegmentLib.model.shipped_models import model_folder
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.case_preparation import prepare_case
from MultimodalImagingLib.preparation.prepared_case import PreparedCase


def computed(
    case: PreparedCase, model: TrainedModel, config: InferenceConfig
) -> tuple[WindowedOutput, float]:
    """Return what the windows add up to, and the seconds of CPU time that took."""
    start = time.process_time()
    _, output = predict_prepared(case, model, config, reporter=NullReporter())
    return output, time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case", type=Path)
    parser.add_argument("--model", type=model_folder, required=True)
    options = parser.parse_args()
    model = load_model(options.model)
    (case,), _ = cases_of_path(options.case)
    primary = model.task.subtasks[0].primary
    prepared = prepare_case(case, model.preprocessing, reference=primary, crop="reference")
    config = InferenceConfig(device="cpu", maps=True)
    output, seconds = computed(prepared, model, config)
    _, without = computed(prepared, model, replace(config, no_influence=True))
    print("| sub-task | region | largest | mean | voxels above one half | only one of them |")
    print("|---|---|---|---|---|---|")
    for subtask in model.task.subtasks:
        for channel, region in enumerate(subtask.regions):
            names = (None, *subtask.auxiliaries)
            parts = [output.influence[InfluenceChannel(subtask.name, region, a)] for a in names]
            blended = torch.stack(parts).sum(dim=0)
            label = output.logits[subtask.name][channel].sigmoid()
            seen = torch.maximum(blended, label) >= NOTICED
            gap = (blended - label).abs()[seen]
            n_above, n_apart = (
                int((label > 0.5).sum()),
                int(((label > 0.5) != (blended > 0.5)).sum()),
            )
            figures = (
                (f"{float(gap.max()):.3f}", f"{float(gap.mean()):.4f}") if len(gap) else ("", "")
            )
            print(f"| {subtask.name} | {region} | {' | '.join(figures)} | {n_above} | {n_apart} |")
    print(f"\nCPU time of the network: {seconds:.1f} s, {without:.1f} s without influence", end="")
    print(f" (ratio {seconds / without:.2f}).")


if __name__ == "__main__":
    main()
