"""Whether the maps are true: what they say against what happens when an image is withheld.

python Testing/Evidence/map_truth.py COHORT --model MODEL --output FIGURES.json [--case NAME …]
python Testing/Evidence/map_truth.py shapes --output FIGURES.json
python Testing/Evidence/map_truth.py table FIGURES.json …

Three questions of a trained network, for every region and auxiliary of its sub-tasks:

a. Does the figure of a kind of map rank cases as the true change does? True is what changes in the
   segmentation of the whole case when the messages of that image are really absent: voxels that
   change label, and Dice against the reference.
b. Does a map mark the voxels of the auxiliary's image that matter? In the window around the
   reference the voxels that it marks most are replaced by the mean of the body (deletion), or all
   others are (insertion), and the change of the region's probabilities is compared with the change
   when the whole image is replaced.
c. Does a map change when the network's weights are drawn anew?

Controls: smooth noise, edges of the auxiliary's image, and the predicted region itself, which every
map that merely outlines the lesion equals. In (a) the size of the region is the control: large
lesions have more of everything, so figures are compared per voxel of the region, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage, stats
from torch import Tensor
from torch.nn import functional as F

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("MDALSelector", "CIMLSegment", "Testing/Helpers")]

from CIMLSegmentLib.config import InferenceConfig  # noqa: E402
from CIMLSegmentLib.inference.case_input import cases_of_path  # noqa: E402
from CIMLSegmentLib.inference.influence import InfluenceChannel  # noqa: E402
from CIMLSegmentLib.inference.sliding_window import (  # noqa: E402
    WindowedOutput,
    WindowPlan,
    predict_windows,
)
from CIMLSegmentLib.inference.window_box import body_box  # noqa: E402
from CIMLSegmentLib.model.model import TrainedModel, load_model  # noqa: E402
from CIMLSegmentLib.model.shipped_models import model_folder  # noqa: E402
from CIMLSegmentLib.network.network import CIMLNet, build_network  # noqa: E402
from CIMLSegmentLib.results.map_kinds import MapKey  # noqa: E402
from CIMLSegmentLib.task.parts import Subtask  # noqa: E402
from CIMLSegmentLib.task.regions import region_masks  # noqa: E402
from MultimodalImagingLib.cohorts.cases import Case  # noqa: E402
from MultimodalImagingLib.images.geometry import resample  # noqa: E402
from MultimodalImagingLib.images.stored_image import ImageFile  # noqa: E402
from MultimodalImagingLib.images.volume_io import read_volume  # noqa: E402
from MultimodalImagingLib.jobs.progress import NullReporter  # noqa: E402
from MultimodalImagingLib.preparation.case_preparation import prepare_case  # noqa: E402
from MultimodalImagingLib.record.atomic_files import write_json  # noqa: E402

KINDS = ("influence", "information", "attention", "attention x information", "gradcam")
CONTROLS = ("noise", "edges", "region")
SHARES = (0.02, 0.05, 0.1, 0.2, 0.5)  # of the body in the window
BLOCK = 8  # voxels along each side of what is hidden for occlusion
N_NOISE = 3
N_DRAWN_ANEW = 3
LEAST_CHANGE = 1.0  # voxels: below, the auxiliary changes nothing that a map could show
N_RESAMPLED = 2000
CONFIG = InferenceConfig(device="cpu", maps=True, gradcam=True, batch_size=16)


@dataclass(frozen=True)
class Subject:
    """One case, prepared.

    Attributes:
        name: Its name.
        images: Images `(M, …)`, as the network takes them.
        bodies: Where each shows the body, same shape, bool.
        targets: Region to reference mask, shape of one image.
        window: The part around the reference, of the size of a training patch.
    """

    name: str
    images: Tensor
    bodies: np.ndarray
    targets: Mapping[str, np.ndarray]
    window: tuple[slice, ...]


def subject_of(case: Case, model: TrainedModel) -> Subject | None:
    """Prepare a case as segmentation does; `None` without a reference or with an image missing."""
    primary = model.task.subtasks[0].primary
    prepared = prepare_case(case, model.preprocessing, reference=primary, crop="reference")
    if case.label is None or set(prepared.images) != set(model.task.modalities):
        return None
    stride = model.network.config.total_stride
    patch = tuple(-(-size // s) * s for size, s in zip(model.patch_size, stride, strict=True))
    box = body_box(list(prepared.bodies.values()), prepared.grid)
    box = box.fitted(window=patch, stride=stride)
    labels = resample(read_volume(case.label), prepared.grid, interpolation="nearest").array
    masks = region_masks(box.cut(labels), model.task)
    images = [torch.from_numpy(box.cut(prepared.images[m])).float() for m in model.task.modalities]
    bodies = [box.cut(prepared.bodies[m]).astype(bool) for m in model.task.modalities]
    union = np.logical_or.reduce(list(masks.values()))
    if not union.any():
        return None
    return Subject(
        case.case_id, torch.stack(images), np.stack(bodies), masks, around(union, patch, stride)
    )


def around(mask: np.ndarray, size: Sequence[int], stride: Sequence[int]) -> tuple[slice, ...]:
    """Return the window of a size with the center of a mask in its middle, inside the array."""
    center = ndimage.center_of_mass(mask)
    parts = []
    for middle, length, step, whole in zip(center, size, stride, mask.shape, strict=True):
        start = round((middle - length / 2) / step) * step
        start = min(max(start, 0), whole - length)
        parts.append(slice(start, start + length))
    return tuple(parts)


def predicted(
    network: CIMLNet,
    images: Tensor,
    window: Sequence[int],
    absent: Sequence[int] = (),
    *,
    config: InferenceConfig = CONFIG,
) -> WindowedOutput:
    """Return what the windows of images `(M, …)` add up to, without the messages of some."""
    present = [channel not in absent for channel in range(len(images))]
    plan = WindowPlan(tuple(window), config, torch.device("cpu"))
    return predict_windows(network.eval(), images, present, plan, NullReporter())


def routes(network: CIMLNet) -> Iterator[tuple[Subtask, str, int, str]]:
    """Yield sub-task, region, channel of the region's logits, and auxiliary."""
    for subtask in network.task.subtasks:
        for channel, region in enumerate(subtask.regions):
            for auxiliary in subtask.auxiliaries:
                yield subtask, region, channel, auxiliary


def enlarged(values: Tensor, size: Sequence[int]) -> np.ndarray:
    """Interpolate a map of a level to the size of the images."""
    mode = "trilinear" if len(size) == 3 else "bilinear"
    return np.asarray(F.interpolate(values[None, None], size=tuple(size), mode=mode)[0, 0])


def maps_of(
    output: WindowedOutput, subtask: Subtask, region: str, auxiliary: str, size: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return the maps of a route, as the results of a case have them, on the grid of the images."""
    of_route = [k for k in output.kl if (k.subtask, k.auxiliary) == (subtask.name, auxiliary)]
    attention = [enlarged(output.attention[k], size) for k in of_route]
    nats = [enlarged(output.kl[k], size) * (output.kl[k].numel() / np.prod(size)) for k in of_route]
    changed = output.influence[InfluenceChannel(subtask.name, region, auxiliary)]
    cam = output.gradcam[MapKey("gradcam", subtask.primary, auxiliary, region)]
    return {
        "influence": np.abs(np.asarray(changed)),
        "information": np.sum(nats, axis=0),
        "attention": np.mean(attention, axis=0),
        "attention x information": np.sum(
            [a * n for a, n in zip(attention, nats, strict=True)], axis=0
        ),
        "gradcam": enlarged(cam, size),
    }


# --- a: figures of whole cases --------------------------------------------------------------------


def dice(mask: np.ndarray, target: np.ndarray) -> float:
    """Return the Dice score; 1 where both are empty."""
    total = int(mask.sum()) + int(target.sum())
    return 2 * int((mask & target).sum()) / total if total else 1.0


def figures(network: CIMLNet, subject: Subject, window: Sequence[int]) -> list[dict[str, Any]]:
    """Return, for every route, the figure of each kind and what really changed."""
    size, found = subject.images.shape[1:], []
    everything = predicted(network, subject.images, window)
    plain = replace(CONFIG, no_influence=True, gradcam=False)
    without = {
        a: predicted(
            network, subject.images, window, [network.task.modality_index(a)], config=plain
        )
        for a in dict.fromkeys(route[3] for route in routes(network))
    }
    rng = np.random.default_rng([7, *subject.name.encode()])
    for subtask, region, channel, auxiliary in routes(network):
        mask = np.asarray(everything.logits[subtask.name][channel] > 0)
        other = np.asarray(without[auxiliary].logits[subtask.name][channel] > 0)
        target = subject.targets[region]
        shown = maps_of(everything, subtask, region, auxiliary, size)
        said = {kind: float(values[mask].sum()) for kind, values in shown.items()}
        said["influence"] = float(shown["influence"].sum())  # of all voxels: what it added, too
        said["noise"] = float(rng.random() * max(int(mask.sum()), 1))
        said["size of the region"] = float(mask.sum())
        found.append(
            {
                "case": subject.name,
                "route": f"{auxiliary} to {subtask.primary} ({region})",
                "said": said,
                "voxels": int(mask.sum()),
                "changed_voxels": int((mask != other).sum()),
                "volume_change": int(mask.sum()) - int(other.sum()),
                "net_influence": float(
                    everything.influence[InfluenceChannel(subtask.name, region, auxiliary)].sum()
                ),
                "dice": dice(mask, target),
                "dice_change": dice(mask, target) - dice(other, target),
            }
        )
    return found


# --- b: deletion and insertion in the window ------------------------------------------------------


class Window:
    """The window around the reference of a case, with any voxels of one image replaced."""

    def __init__(self, network: CIMLNet, subject: Subject, subtask: Subtask, channel: int) -> None:
        self.network, self.subtask, self.channel = network, subtask, channel
        self.images = subject.images[(slice(None), *subject.window)]
        self.bodies = subject.bodies[(slice(None), *subject.window)]
        self.full = self._probabilities(self.images[None])[0]

    @torch.no_grad()
    def _probabilities(self, batch: Tensor) -> np.ndarray:
        parts = [self.network(part).logits[self.subtask.name] for part in batch.split(16)]
        return np.asarray(torch.cat(parts)[:, self.channel].sigmoid())

    def changes(self, modality: int, hidden: Sequence[np.ndarray]) -> list[float]:
        """Return the sum of changes of probability for each mask of replaced voxels."""
        image, body = self.images[modality], torch.from_numpy(self.bodies[modality])
        mean = image[body].mean() if bool(body.any()) else image.mean()
        batch = self.images.repeat(len(hidden), *[1] * self.images.ndim).reshape(
            len(hidden), *self.images.shape
        )
        for number, mask in enumerate(hidden):
            batch[number, modality][torch.from_numpy(mask)] = mean
        found = self._probabilities(batch)
        return [float(np.abs(values - self.full).sum()) for values in found]


def occlusion(window: Window, modality: int) -> np.ndarray:
    """Return what changes when a block is replaced, for every block that holds body."""
    body = window.bodies[modality]
    blocks = np.zeros(body.shape, int)
    for axis, length in enumerate(body.shape):
        place = np.arange(length) // BLOCK
        shape = [1] * body.ndim
        shape[axis] = length
        blocks = blocks * (length // BLOCK + 1) + place.reshape(shape)
    names = np.unique(blocks[body])
    changes = window.changes(modality, [(blocks == name) & body for name in names])
    values = np.zeros(body.shape)
    for name, change in zip(names, changes, strict=True):
        values[blocks == name] = change
    return values


def controls(window: Window, modality: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return maps that know nothing of the messages."""
    image = np.asarray(window.images[modality])
    return {
        **{
            f"noise {n}": ndimage.gaussian_filter(rng.standard_normal(image.shape), 2)
            for n in range(N_NOISE)
        },
        "edges": ndimage.gaussian_gradient_magnitude(image, 1),
        "region": ndimage.gaussian_filter(window.full, 1),
    }


def faithfulness(
    window: Window, modality: int, maps: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]] | None:
    """Return deletion and insertion of each map, 0 to about 1; more is better.

    Both are means over the shares of voxels. `None` where the whole image changes nothing.
    """
    body = window.bodies[modality]
    n_body = int(body.sum())
    (whole,) = window.changes(modality, [body])
    if whole < LEAST_CHANGE or n_body == 0:
        return None
    ties = np.random.default_rng(0).random(n_body)  # flat parts of a map mark nothing
    found = {}
    for name, values in maps.items():
        order = np.lexsort((ties, values[body]))[::-1]
        rank = np.empty(n_body, int)
        rank[order] = np.arange(n_body)
        marked = []
        for share in SHARES:
            mask = np.zeros(body.shape, bool)
            mask[body] = rank < round(share * n_body)
            marked.append(mask)
        changes = window.changes(modality, [*marked, *(body & ~mask for mask in marked)])
        deleted, kept = np.split(np.array(changes) / whole, 2)
        found[name] = {"deletion": float(deleted.mean()), "insertion": float(1 - kept.mean())}
    return found


def judged(network: CIMLNet, subject: Subject) -> list[dict[str, Any]]:
    """Return, for every route, deletion and insertion of all kinds and controls."""
    found = []
    rng = np.random.default_rng([11, *subject.name.encode()])
    images = subject.images[(slice(None), *subject.window)]
    size = images.shape[1:]
    output = predicted(network, images, size)
    for subtask, region, channel, auxiliary in routes(network):
        window = Window(network, subject, subtask, channel)
        modality = network.task.modality_index(auxiliary)
        maps = maps_of(output, subtask, region, auxiliary, size)
        maps |= {"occlusion": occlusion(window, modality), **controls(window, modality, rng)}
        scores = faithfulness(window, modality, maps)
        route = f"{auxiliary} to {subtask.primary} ({region})"
        found.append({"case": subject.name, "route": route, "scores": scores})
    return found


# --- c: weights drawn anew ------------------------------------------------------------------------

PARTS: Mapping[str, Callable[[str], bool]] = {
    "decoder and head": lambda name: name.startswith(("decoders", "heads")),
    "gates": lambda name: name.startswith("channels"),
    "all": lambda _name: True,
}


def drawn_anew(network: CIMLNet, part: str, seed: int) -> CIMLNet:
    """Return a copy of a network with the weights of one part as before the training."""
    other = build_network(network.task, network.config, seed=seed)
    fresh = other.state_dict()
    weights = network.state_dict()
    taken = [name for name in weights if PARTS[part](name)]
    if not taken:
        msg = f"No weights belong to the part {part!r}; there are {sorted(weights)[:5]} …"
        raise ValueError(msg)
    other.load_state_dict({**weights, **{name: fresh[name] for name in taken}})
    return other.eval()


def similarity(network: CIMLNet, subject: Subject) -> list[dict[str, Any]]:
    """Return, per part and kind, the rank correlation of maps before and after, in the body."""
    images = subject.images[(slice(None), *subject.window)]
    bodies = subject.bodies[(slice(None), *subject.window)]
    size = images.shape[1:]
    before, found = predicted(network, images, size), []
    for part in PARTS:
        for seed in range(N_DRAWN_ANEW):
            after = predicted(drawn_anew(network, part, 100 + seed), images, size)
            for subtask, region, _channel, auxiliary in routes(network):
                body = bodies[network.task.modality_index(auxiliary)]
                old = maps_of(before, subtask, region, auxiliary, size)
                new = maps_of(after, subtask, region, auxiliary, size)
                alike = {kind: rank_correlation(old[kind][body], new[kind][body]) for kind in KINDS}
                found.append({"case": subject.name, "part": part, "alike": alike})
    return found


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation; 0 where one of the two is constant."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(stats.spearmanr(first, second).statistic)


# --- cohorts --------------------------------------------------------------------------------------


def shapes() -> tuple[CIMLNet, list[Subject], tuple[int, ...]]:
    """Train the network of the toy in two dimensions and draw cases of it."""
    import shape_composition_toy as toys

    toy = toys.Toy()
    task = toys.toy_task({"A": ("B", "noise"), "B": ("A", "noise")})
    torch.manual_seed(0)
    network = toys.train_toy(toy, task, beta=0.01)
    samples = toys.draw_samples(toy, task, 40, np.random.default_rng([5, 5]))
    names = task.region_names
    whole = (slice(0, toy.size), slice(0, toy.size))
    return (
        network,
        [
            Subject(
                f"image-{n:02d}",
                samples.images[n],
                np.ones(samples.images[n].shape, bool),
                {name: np.asarray(samples.target[n, 0]).astype(bool) for name in names},
                whole,
            )
            for n in range(len(samples.images))
        ],
        (toy.size, toy.size),
    )


def measured(options: argparse.Namespace) -> None:
    """Measure every case and write the figures after each."""
    if options.what == "shapes":
        network, subjects, size = shapes()
        source: Iterator[Subject | None] = iter(subjects)
        seen: set[str] = set()
    else:
        model = load_model(options.model)
        network, size = model.network, ()
        cases, _ = cases_of_path(Path(options.what))
        chosen = [c for c in cases if not options.case or c.case_id in options.case]
        if options.reference is not None:
            files = {c.case_id: options.reference / f"{c.case_id}.nii.gz" for c in chosen}
            chosen = [replace(c, label=ImageFile(files[c.case_id])) for c in chosen]
        source = (subject_of(case, model) for case in chosen)
        seen = set(model.facts.seen_cases)
    found: dict[str, Any] = {"cohort": options.name, "a": [], "b": [], "c": [], "seen": []}
    for subject in source:
        if subject is None:
            continue
        window = size or tuple(part.stop - part.start for part in subject.window)
        found["a"] += figures(network, subject, window)
        found["b"] += judged(network, subject)
        if len({row["case"] for row in found["c"]}) < options.drawn_anew:
            found["c"] += similarity(network, subject)
        found["seen"] += [subject.name] if subject.name in seen else []
        write_json(options.output, found)
        print(subject.name, flush=True)


# --- tables ---------------------------------------------------------------------------------------


def interval(values: Sequence[float], groups: Sequence[str]) -> str:
    """Return mean and 95 % interval of a mean, by resampling whole cases."""
    by_group: dict[str, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        by_group[group].append(value)
    names, rng = sorted(by_group), np.random.default_rng(0)
    sums = np.array([[sum(by_group[name]), len(by_group[name])] for name in names])
    picks = rng.integers(0, len(names), (N_RESAMPLED, len(names)))
    drawn = sums[picks].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return f"{np.mean(values):.2f} ({low:.2f} to {high:.2f})"


def ranking(rows: Sequence[dict[str, Any]], kind: str, truth: str, *, per_voxel: bool) -> float:
    """Return the mean over routes of the rank correlation over cases."""
    by_route: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        share = max(row["voxels"], 1) if per_voxel else 1
        true = abs(row[truth]) / (share if truth != "dice_change" else 1)
        by_route[row["route"]].append((row["said"][kind] / share, true))
    return float(np.mean([rank_correlation(*np.array(v).T) for v in by_route.values()]))


def resampled_ranking(rows: Sequence[dict[str, Any]], *what: str, per_voxel: bool) -> str:
    """Return `ranking` with a 95 % interval by resampling cases."""
    by_case: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_case[row["case"]].append(row)
    names, rng = sorted(by_case), np.random.default_rng(0)
    kind, truth = what
    drawn = [
        ranking(
            [row for name in rng.choice(names, len(names)) for row in by_case[name]],
            kind,
            truth,
            per_voxel=per_voxel,
        )
        for _ in range(300)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    value = ranking(rows, kind, truth, per_voxel=per_voxel)
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


ALWAYS = "always the same auxiliary"


def most(rows: Sequence[dict[str, Any]], kind: str) -> tuple[int, int]:
    """Count regions whose most important auxiliary is the true one, and all that were compared.

    With the name `ALWAYS` the answer is that auxiliary of the route which is right most often.
    """
    by_region: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_region[row["case"], row["route"].split(" to ")[1]].append(row)
    right = compared = 0
    answers: dict[str, Counter[int]] = defaultdict(Counter)
    for (_case, region), group in by_region.items():
        true = [row["changed_voxels"] for row in group]
        if len(group) < 2 or sorted(true)[-1] == sorted(true)[-2]:
            continue
        compared += 1
        answers[region][int(np.argmax(true))] += 1
        if kind != ALWAYS:
            right += int(np.argmax(true) == np.argmax([row["said"][kind] for row in group]))
    if kind == ALWAYS:
        right = sum(max(counted.values()) for counted in answers.values())
    return right, compared


def scores_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[tuple[str, float, float]]]:
    """Gather case, deletion and insertion per kind; draws of noise are one kind."""
    found: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for row in rows:
        for name, score in (row["scores"] or {}).items():
            kind = "noise" if name.startswith("noise") else name
            found[kind].append((row["case"], score["deletion"], score["insertion"]))
    return found


def tables(files: Sequence[Path]) -> None:
    """Print all tables of files of figures."""
    write = sys.stdout.write
    for path in files:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = found["a"]
        names = {row["case"] for row in rows}
        write(
            f"\n### {found['cohort']}\n\n{len(names)} cases, {len(found['seen'])} of them seen in"
            f" training; {len({row['route'] for row in rows})} routes.\n\n"
        )
        write("a. Rank correlation over cases (95 % interval).\n\n")
        write(
            "| figure | voxels that change | per voxel of the region | Dice | most important |\n"
            "|---|---|---|---|---|\n"
        )
        for kind in (*KINDS, "size of the region", "noise"):
            cells = [
                resampled_ranking(rows, kind, "changed_voxels", per_voxel=False),
                resampled_ranking(rows, kind, "changed_voxels", per_voxel=True),
                resampled_ranking(rows, kind, "dice_change", per_voxel=True),
                "{} of {}".format(*most(rows, kind)),
            ]
            write(f"| {kind} | {' | '.join(cells)} |\n")
        write(f"| {ALWAYS} | | | | {'{} of {}'.format(*most(rows, ALWAYS))} |\n")
        signed = [rank_correlation(*pair) for pair in signed_pairs(rows)]
        write(f"\nSigned: net influence against change of volume, {np.mean(signed):.2f}.\n\n")
        n_flat = sum(row["scores"] is None for row in found["b"])
        write(
            f"b. Deletion and insertion; {n_flat} of {len(found['b'])} left out, where the whole"
            " image changes less than one voxel.\n\n"
        )
        write("| map | deletion | insertion | both |\n|---|---|---|---|\n")
        ranked = scores_of(found["b"])
        for kind in sorted(ranked, key=lambda k: -np.mean([d + i for _, d, i in ranked[k]])):
            cases, deletion, insertion = zip(*ranked[kind], strict=True)
            both = [(d + i) / 2 for d, i in zip(deletion, insertion, strict=True)]
            cells = [interval(values, cases) for values in (deletion, insertion, both)]
            write(f"| {kind} | {' | '.join(cells)} |\n")
        write("\nc. Rank correlation of a map with itself after weights were drawn anew.\n\n")
        write(f"| part | {' | '.join(KINDS)} |\n|---|{'---|' * len(KINDS)}\n")
        for part in PARTS:
            alike = [row["alike"] for row in found["c"] if row["part"] == part]
            cells = [f"{np.mean([values[kind] for values in alike]):.2f}" for kind in KINDS]
            write(f"| {part} | {' | '.join(cells)} |\n")


def signed_pairs(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, per route, net influence and the change of volume over cases."""
    by_route: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        by_route[row["route"]].append((row["net_influence"], row["volume_change"]))
    for values in by_route.values():
        first, second = np.array(values).T
        yield first, second


def main() -> None:
    """Measure, or print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", help="a cohort, the word shapes, or the word table")
    parser.add_argument("files", nargs="*", type=Path, help="files of figures, after table")
    parser.add_argument("--model", type=model_folder)
    parser.add_argument("--name", default="", help="what the tables call the cohort")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--reference", type=Path, help="label maps, if not in the cohort")
    parser.add_argument("--drawn-anew", type=int, default=5, metavar="CASES", help="for (c)")
    options = parser.parse_args()
    if options.what == "table":
        tables(options.files)
    else:
        measured(options)


if __name__ == "__main__":
    main()
