"""Measure segmentation of full-size cases: time, peak memory, price of the maps and of the gates.

    python Testing/Benchmarks/benchmark_segmentation.py CASE_OR_COHORT ... [--device cpu]

The network is the default one for the preset `brats` with random weights: time and memory do not
depend on training, and about half of all voxels are segmented, more than by a trained network.
Whole cases are measured through the command line, start of Python and all files included, in turns
with and without maps. Computing on the CPU is confined to `--threads` cores. If there is a GPU, it
is measured too, also in a process that has computed a case before.

Prints tables in Markdown; ends with 1 if a limit of the CPU is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PATHS = [str(ROOT / "MDALSelector"), str(ROOT / "CIMLSegment")]
sys.path[:0] = PATHS

CASE = ROOT.parent / "shared" / "data" / "ms3" / "patient07"
MOST_SECONDS, MOST_GIGABYTES, MOST_FOR_MAPS, MOST_FOR_GATES = 90.0, 6.0, 0.15, 1.25


@dataclass(frozen=True)
class Run:
    """One call of the command.

    Attributes:
        seconds: Time from start to end.
        cpu_seconds: Time of all its threads together; other processes disturb it less.
        gigabytes: Peak of the resident memory.
        steps: Seconds per step of segmentation.
        writing: Seconds of the rest: start of Python, loading and writing.
    """

    seconds: float
    cpu_seconds: float
    gigabytes: float
    steps: dict[str, float]

    @property
    def writing(self) -> float:
        return self.seconds - sum(self.steps.values())


def main() -> int:
    """Measure and print; the exit code says whether the limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "cases", type=Path, nargs="*", default=[CASE], help="four MR sequences each"
    )
    parser.add_argument("--device", help="cpu or cuda; by default the CPU and the GPU if any")
    parser.add_argument("--threads", type=int, default=2, help="cores of the CPU (default 2)")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        save_default_model(model)
        return max(measure(device, model, options) for device in devices(options.device))


def devices(wanted: str | None) -> list[str]:
    import torch

    if wanted is not None:
        return [wanted]
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def save_default_model(folder: Path) -> None:
    """Write the default network for the preset `brats` as training would."""
    from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
    from CIMLSegmentLib.model.model import TrainedModel, save_model
    from CIMLSegmentLib.model.model_description import (
        PACKAGES,
        ModelDescription,
        ModelFacts,
    )
    from CIMLSegmentLib.network.network import build_network
    from CIMLSegmentLib.task.task_io import load_task
    from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec
    from MultimodalImagingLib.version import current_versions

    task, config = load_task("brats"), NetworkConfig()
    facts = ModelFacts((), (), {}, versions=current_versions(PACKAGES))
    spec = PreprocessingSpec((1.0, 1.0, 1.0), dict(task.modalities))
    description = ModelDescription(task, config, TrainingConfig(), spec, facts)
    save_model(folder, TrainedModel(build_network(task, config, seed=0), description))


def measure(device: str, model: Path, options: argparse.Namespace) -> int:
    """Measure one device and print what was found."""
    with confined_to(options.threads if device == "cpu" else None):
        print(f"\n## {device_name(device, options.threads)}\n")
        gates = print_forward(device, model, options)
        exceeded = [print_case(case, device, model, options) for case in options.cases]
        if device != "cpu":
            print_warm(device, model, options)
    return int(device == "cpu" and (gates > MOST_FOR_GATES or any(exceeded)))


@contextmanager
def confined_to(n_cores: int | None) -> Iterator[None]:
    """Confine this process, and those that it starts, to a number of cores."""
    if n_cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    import torch

    cores, n_threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, sorted(cores)[:n_cores])
    torch.set_num_threads(n_cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(n_threads)


def device_name(device: str, n_threads: int) -> str:
    import torch

    if device == "cpu":
        return f"CPU, {n_threads} cores, PyTorch {torch.__version__}"
    return f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}"


def print_case(case: Path, device: str, model: Path, options: argparse.Namespace) -> bool:
    """Segment a case with and without maps in turns; tell whether a limit is exceeded."""
    runs: dict[bool, list[Run]] = {False: [], True: []}
    for _ in range(options.repeats):
        for maps in (False, True):
            runs[maps].append(run_command(case, device, model, maps=maps, threads=options.threads))
    print(f"### {case.name}: the whole command, median of {options.repeats}\n")
    print("| | s | CPU s | peak GB | read | network | to the grid | start and write |")
    print("|---|---|---|---|---|---|---|---|")
    for maps, title in ((False, "without maps"), (True, "with all maps")):
        print(f"| {title} | {' | '.join(f'{v:.1f}' for v in figures(runs[maps]))} |")
    pairs = list(zip(runs[True], runs[False], strict=True))
    price = median(a.seconds / b.seconds for a, b in pairs) - 1
    cpu_price = median(a.cpu_seconds / b.cpu_seconds for a, b in pairs) - 1
    print(f"\nMaps add {price:.1%} of the time, {cpu_price:.1%} of the CPU time.\n")
    seconds, _, gigabytes, *_ = figures(runs[True])
    return seconds > MOST_SECONDS or gigabytes > MOST_GIGABYTES or price > MOST_FOR_MAPS


def figures(runs: list[Run]) -> list[float]:
    rows = [[r.seconds, r.cpu_seconds, r.gigabytes, *r.steps.values(), r.writing] for r in runs]
    return [median(column) for column in zip(*rows, strict=True)]


def run_command(case: Path, device: str, model: Path, *, maps: bool, threads: int) -> Run:
    """Segment one case as a user would."""
    paths = [*PATHS, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    if device == "cpu":
        environment |= {"OMP_NUM_THREADS": str(threads)}
        environment |= {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "CIMLSegmentLib", "segment", str(case), "--events"]
        command += ["--model", str(model), "--output", output, "--device", device]
        command += ["--attention"] if maps else []
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            msg = f"{' '.join(command)} failed."
            raise SystemExit(msg)
        (result,) = Path(output).glob("*/result.json")
        steps = json.loads(result.read_text(encoding="utf-8"))["timings_s"]
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Run(seconds, usage.ru_utime + usage.ru_stime, kilobytes * 1024 / 1e9, steps)


def print_warm(device: str, folder: Path, options: argparse.Namespace) -> None:
    """Time cases in a process that has computed one before: what each further case costs."""
    import torch

    print("### A further case in the same process, read to written\n")
    print("| | s | peak GB on the device |")
    print("|---|---|---|")
    segment_here(options.cases[0], device, folder, maps=True)
    for case in options.cases:
        for maps, title in ((False, "without maps"), (True, "with all maps")):
            torch.cuda.reset_peak_memory_stats()
            seconds = [
                segment_here(case, device, folder, maps=maps) for _ in range(options.repeats)
            ]
            peak = torch.cuda.max_memory_allocated() / 1e9
            print(f"| {case.name} {title} | {median(seconds):.2f} | {peak:.2f} |")


def segment_here(case: Path, device: str, folder: Path, *, maps: bool) -> float:
    """Segment and write one case in this process; return the seconds."""
    from CIMLSegmentLib.config import InferenceConfig
    from CIMLSegmentLib.inference.case_input import cases_of_path
    from CIMLSegmentLib.inference.segment_case import segment_case
    from CIMLSegmentLib.model.model import load_model
    from CIMLSegmentLib.results.result_io import write_result
    from MultimodalImagingLib.jobs.progress import NullReporter

    model, ((found,), _) = load_model(folder), cases_of_path(case)
    config = InferenceConfig(device=device, maps=maps)
    with tempfile.TemporaryDirectory() as output:
        start = time.perf_counter()
        write_result(segment_case(found, model, config, reporter=NullReporter()), Path(output))
        return time.perf_counter() - start


def print_forward(device: str, folder: Path, options: argparse.Namespace) -> float:
    """Time the network, and its encoders and decoders alone, in turns; return the ratio."""
    import torch

    from CIMLSegmentLib.config import InferenceConfig
    from CIMLSegmentLib.model.model import load_model

    model = load_model(folder)
    network, patch = model.network.to(device), model.patch_size
    n_windows = InferenceConfig().windows_at_a_time(patch)
    windows = torch.randn(n_windows, len(model.task.modalities), *patch, device=device)
    times = []
    with torch.no_grad():
        fused = decoder_inputs(network, windows)
        parts = [lambda: network(windows), lambda: encode_and_decode(network, windows, fused)]
        for _ in range(options.repeats + 1):  # the first round only warms up
            times.append([timed(part, device) / n_windows for part in parts])
    whole, alone = (median(column) for column in zip(*times[1:], strict=True))
    ratio = median(a / b for a, b in times[1:])
    unit = "CPU s" if device == "cpu" else "s"
    print(
        f"Forward pass of one window of {' x '.join(map(str, patch))} voxels: {whole:.3f} {unit};"
        f" its encoders and decoders alone {alone:.3f} {unit}; ratio {ratio:.3f}.\n"
    )
    return ratio


def decoder_inputs(network: object, windows: object) -> list[list]:
    """Return what each decoder gets."""
    inputs: list[list] = []
    handles = [
        decoder.register_forward_pre_hook(lambda _, args: inputs.append(list(args[0])))
        for decoder in network.decoders
    ]
    network(windows)
    for handle in handles:
        handle.remove()
    return inputs


def encode_and_decode(network: object, windows: object, fused: list[list]) -> None:
    """Run every encoder on its modality and every decoder on what it got before."""
    for channel, encoder in enumerate(network.encoders):
        encoder(windows[:, channel : channel + 1])
    for decoder, inputs in zip(network.decoders, fused, strict=True):
        decoder(inputs)


def timed(function: Callable[[], object], device: str) -> float:
    """Return the seconds of a call; on the CPU those of all threads, as others may compute too."""
    import torch

    if device == "cpu":
        start = cpu_seconds()
        function()
        return cpu_seconds() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def cpu_seconds() -> float:
    """Seconds that this process has computed so far, all threads together."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
