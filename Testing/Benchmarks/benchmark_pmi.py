"""Time and memory of the two-sided normalization of PMI for a large cohort.

Prints, per pair of modalities, the number of passes over the critic matrix, the time of a pass, its
ratio to the time of the bare matrix products of the same run, and the peak memory above the inputs.
Ends with 1 if a limit is missed.

    python Testing/Benchmarks/benchmark_pmi.py [--cases 20000] [--features 128] [--threads N]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from itertools import combinations
from pathlib import Path

import psutil
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))

from MDALSelectorLib.estimation.config import NormalizationConfig
from MDALSelectorLib.estimation.normalization import two_sided_scores

MODALITIES = ("a", "b", "c")
N_GROUPS = 40
SCALE = 20.0
MAX_MEMORY_GB = 1.5
MAX_RATIO = 2.5


def make_embeddings(n_cases: int, n_features: int) -> dict[str, Tensor]:
    """Return unit embeddings of three modalities that share groups of cases and single cases."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(N_GROUPS, n_features, generator=generator)
    group = torch.randint(N_GROUPS, (n_cases,), generator=generator)
    shared = centers[group] + torch.randn(n_cases, n_features, generator=generator)
    noisy = {m: shared + torch.randn(shared.shape, generator=generator) for m in MODALITIES}
    return {m: torch.nn.functional.normalize(values, dim=1) for m, values in noisy.items()}


def time_bare_products(rows: Tensor, columns: Tensor, block_rows: int) -> float:
    """Return the time of all block products and nothing else, s."""
    buffer = torch.empty(block_rows, len(columns))
    start = time.perf_counter()
    for begin in range(0, len(rows), block_rows):
        part = rows[begin : begin + block_rows]
        torch.mm(part, columns.T, out=buffer[: len(part)])
    return time.perf_counter() - start


def peak_memory_gb() -> float:
    """Return the largest resident memory of this process so far, GB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1 if sys.platform == "darwin" else 1024) / 1e9


def run(n_cases: int, n_features: int) -> bool:
    """Measure all pairs, print a table, and tell whether all limits hold."""
    embeddings = make_embeddings(n_cases, n_features)
    config = NormalizationConfig()
    warm_up = embeddings["a"][:512]
    two_sided_scores(SCALE * warm_up, warm_up, config=config)
    before_gb = psutil.Process().memory_info().rss / 1e9
    print(f"{n_cases} cases, {n_features} features, {torch.get_num_threads()} threads, float32")
    print("pair   passes  error (nats)  s per pass  bare products (s)  ratio")
    ratios = []
    for a, b in combinations(MODALITIES, 2):
        rows, columns = SCALE * embeddings[a], embeddings[b]
        bare = [time_bare_products(rows, columns, config.block_rows)]
        start = time.perf_counter()
        found = two_sided_scores(rows, columns, config=config)
        per_pass = (time.perf_counter() - start) / found.n_passes
        bare.append(time_bare_products(rows, columns, config.block_rows))
        ratios.append(per_pass / (sum(bare) / 2))
        print(
            f"{a} - {b}  {found.n_passes:6d}  {found.error_nats:12.1e}  {per_pass:10.2f}"
            f"  {sum(bare) / 2:17.2f}  {ratios[-1]:5.2f}"
        )
    memory_gb = peak_memory_gb() - before_gb
    print(f"peak memory above the inputs: {memory_gb:.2f} GB (limit {MAX_MEMORY_GB} GB)")
    print(f"largest ratio: {max(ratios):.2f} (limit {MAX_RATIO})")
    return memory_gb < MAX_MEMORY_GB and max(ratios) < MAX_RATIO


def main() -> int:
    """Read the options, measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return 0 if run(options.cases, options.features) else 1


if __name__ == "__main__":
    sys.exit(main())
