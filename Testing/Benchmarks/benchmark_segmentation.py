"""Measure segmentation of a full-size case: time, peak memory, price of the maps and of the gates.

    python Testing/Benchmarks/benchmark_segmentation.py [--case FOLDER] [--device cpu] [--threads 2]

The network is the default one with random weights: time and memory do not depend on training. Each
measurement of a whole case runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "MDALSelector"), str(ROOT / "CIMLSegment")]

CASE = ROOT.parent / "shared" / "data" / "ms3" / "patient07"
LIMITS = {"seconds": 90.0, "gigabytes": 6.0, "maps": 0.15, "gates": 1.25}


def main() -> int:
    """Run all measurements and print them; the exit code says whether all limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", type=Path, default=CASE, help="folder with four MR sequences")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--maps", choices=["yes", "no"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.maps is not None:
        print(json.dumps(measure_case(options)))
        return 0
    results = {"forward": measure_forward(options)}
    pairs = [
        {maps: in_new_process(options, maps) for maps in ("no", "yes")}
        for _ in range(options.repeats)
    ]
    for maps, name in (("no", "without maps"), ("yes", "with maps")):
        results[name] = median_of([pair[maps] for pair in pairs])
    ratios = [pair["yes"]["seconds"] / pair["no"]["seconds"] - 1 for pair in pairs]
    results["price of the maps"] = statistics.median(ratios)
    print(json.dumps(results, indent=2))
    return print_verdict(results)


def print_verdict(results: dict) -> int:
    """Compare with the limits."""
    checks = {
        "seconds": results["with maps"]["seconds"],
        "gigabytes": results["with maps"]["gigabytes"],
        "maps": results["price of the maps"],
        "gates": results["forward"]["ratio"],
    }
    for name, value in checks.items():
        verdict = "kept" if value <= LIMITS[name] else "EXCEEDED"
        print(f"{name}: {value:.3g} (limit {LIMITS[name]:g}) {verdict}")
    return int(any(value > LIMITS[name] for name, value in checks.items()))


def in_new_process(options: argparse.Namespace, maps: str) -> dict:
    """Measure one case in a fresh interpreter."""
    command = [sys.executable, __file__, "--maps", maps, "--case", str(options.case)]
    command += ["--device", options.device, "--threads", str(options.threads)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def median_of(runs: list[dict]) -> dict:
    """Return the median of every figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def measure_case(options: argparse.Namespace) -> dict:
    """Segment and write one case from its files; reading and writing count."""
    import torch

    from CIMLSegmentLib.case_input import cases_of_path
    from CIMLSegmentLib.inference import segment_case
    from CIMLSegmentLib.inference_config import InferenceConfig
    from CIMLSegmentLib.result_io import write_result
    from MultimodalImagingLib.progress import NullReporter

    torch.set_num_threads(options.threads)
    (case,), _ = cases_of_path(options.case)
    model = default_model()
    config = InferenceConfig(device=options.device, maps=options.maps == "yes")
    start, cpu = time.perf_counter(), cpu_seconds()
    result = segment_case(case, model, config, reporter=NullReporter())
    computed = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_result(result, Path(folder))
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": cpu_seconds() - cpu,
        "write_seconds": time.perf_counter() - computed,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    return {**figures, **{f"step: {name}": s for name, s in result.timings_s.items()}}


@dataclass(frozen=True)
class DefaultModel:
    """The default network for the preset `brats` with random weights."""

    network: object
    task: object
    preprocessing: object
    patch_size: tuple[int, ...]
    identity: dict


def default_model() -> DefaultModel:
    """Build it; decoders are scaled so that something is segmented."""
    from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
    from CIMLSegmentLib.network import build_network
    from CIMLSegmentLib.task_io import load_task
    from MultimodalImagingLib.preprocessing import PreprocessingSpec

    task = load_task("brats")
    network = build_network(task, NetworkConfig(), seed=0)
    spec = PreprocessingSpec((1.0, 1.0, 1.0), dict(task.modalities))
    return DefaultModel(network, task, spec, TrainingConfig().patch_size, {"name": "benchmark"})


def measure_forward(options: argparse.Namespace) -> dict:
    """Time the whole network, and its encoders and decoders alone, in turns."""
    import torch

    torch.set_num_threads(options.threads)
    model = default_model()
    network = model.network.eval().to(options.device)
    windows = torch.randn(2, len(model.task.modalities), *model.patch_size).to(options.device)
    fused = [torch.zeros_like(f) for f in fused_inputs(network, windows)]
    times: dict[str, list[float]] = {"whole network": [], "encoders and decoders": []}
    with torch.no_grad():
        parts = {
            "whole network": lambda: network(windows),
            "encoders and decoders": lambda: encoders_and_decoders(network, windows, fused),
        }
        for number in range(options.repeats + 1):  # the first round only warms up
            for name, function in parts.items():
                seconds = timed(function, options.device)
                if number:
                    times[name].append(seconds)
    pairs = zip(times["whole network"], times["encoders and decoders"], strict=True)
    figures = {name: statistics.median(values) / len(windows) for name, values in times.items()}
    return {
        "seconds per window": figures,
        "ratio": statistics.median(whole / part for whole, part in pairs),
    }


def fused_inputs(network: object, windows: object) -> list:
    """Return what the decoders get, all of them one after the other."""
    inputs: list = []
    handles = [
        decoder.register_forward_pre_hook(lambda _, args: inputs.extend(args[0]))
        for decoder in network.decoders
    ]
    import torch

    with torch.no_grad():
        network(windows)
    for handle in handles:
        handle.remove()
    return inputs


def encoders_and_decoders(network: object, windows: object, fused: list) -> None:
    """Run every encoder on its modality and every decoder on inputs of the right shape."""
    for channel, encoder in enumerate(network.encoders):
        encoder(windows[:, channel : channel + 1])
    n_levels = network.config.n_levels
    for number, decoder in enumerate(network.decoders):
        decoder(fused[number * n_levels : (number + 1) * n_levels])


def timed(function: Callable[[], object], device: str) -> float:
    """Return the seconds of a call; on the CPU those of all threads, as others may compute too."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()
        start = time.perf_counter()
        function()
        torch.cuda.synchronize()
        return time.perf_counter() - start
    start = cpu_seconds()
    function()
    return cpu_seconds() - start


def cpu_seconds() -> float:
    """Seconds that this process has computed so far, all threads together."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
