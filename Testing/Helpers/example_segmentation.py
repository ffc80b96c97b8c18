"""Small models and cases with known answers for tests of segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
import torch

from CIMLSegmentLib.config import NetworkConfig
from CIMLSegmentLib.model.model_description import Intensities, ModelFacts
from CIMLSegmentLib.network.network import CIMLNet, Exchange, MessageKey, build_network
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

SMALL = NetworkConfig(
    features=(4, 6, 8),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    kernel_sizes=((3, 3, 3),) * 3,
    message_levels=(1, 2),
    message_channels=2,
    gate_channels=3,
)
IDENTITY = tuple(np.eye(3).ravel())


@dataclass(frozen=True)
class Model:
    """What segmentation needs of a model."""

    network: CIMLNet
    task: Task
    spacing_mm: float = 2.0
    patch_size: tuple[int, ...] = (16, 16, 16)
    identity: Mapping[str, object] = field(default_factory=lambda: {"name": "small"})
    intensities: Mapping[str, Intensities] = field(default_factory=dict)

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(intensities=self.intensities)

    @property
    def preprocessing(self) -> PreprocessingSpec:
        return PreprocessingSpec((self.spacing_mm,) * 3, dict(self.task.modalities))


class Recorder(NullReporter):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class BrightVoxels(CIMLNet):
    """Calls every voxel a lesion whose SUV exceeds 3.5; the maps are known."""

    def encode(self, images: torch.Tensor) -> list[list[torch.Tensor]]:
        return [[channel[:, None]] for channel in images.unbind(dim=1)]

    def exchange(
        self,
        features: list[list[torch.Tensor]],
        present: torch.Tensor,
        generator: torch.Generator | None = None,
    ) -> Exchange:
        [pet] = features[self.task.modality_index("PET")]
        key, coarse = MessageKey("lesion", "CT", 1), torch.nn.functional.avg_pool3d(pet, 2)
        exchange = Exchange(present, generator)
        exchange.attention[key] = coarse[:, 0].clamp(0, 1)
        exchange.kl[key] = coarse[:, 0].clamp(min=0)
        exchange.messages[key] = coarse
        return exchange

    def decode(
        self, _: object, features: list[list[torch.Tensor]], *_rest: object, **_options: object
    ) -> list[torch.Tensor]:
        [pet] = features[self.task.modality_index("PET")]
        return [20 * (pet - np.arcsinh(3.5))]


def pet_ct() -> Task:
    return load_task("pet-ct")


def bright_voxels(**settings: object) -> Model:
    config = NetworkConfig(
        features=(2, 2, 2),
        strides=SMALL.strides,
        kernel_sizes=SMALL.kernel_sizes,
        message_levels=(1,),
        message_channels=1,
        gate_channels=1,
    )
    return Model(BrightVoxels(pet_ct(), config), pet_ct(), **settings)  # type: ignore[arg-type]


def random_network(task: Task, *, seed: int = 0) -> Model:
    network = build_network(task, SMALL, seed=seed)
    with torch.no_grad():  # an untrained network is near 0 everywhere; make it decide
        for head in network.decoders:
            for parameter in head.heads.parameters():
                parameter.mul_(20)
    return Model(network, task)


def rotation(degrees: float, axis: tuple[float, float, float]) -> np.ndarray:
    transform = sitk.VersorTransform(axis, np.deg2rad(degrees))
    return np.array(transform.GetMatrix()).reshape(3, 3)


def grid(
    size: tuple[int, int, int] = (30, 34, 26),
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
    direction: np.ndarray | None = None,
    center: tuple[float, float, float] = (5.0, -11.0, 40.0),
) -> Grid:
    matrix = np.eye(3) if direction is None else direction
    origin = np.array(center) - matrix @ (np.array(spacing) * (np.array(size) - 1) / 2)
    return Grid(size, spacing, tuple(origin), tuple(matrix.ravel()))


def positions(on: Grid) -> np.ndarray:
    """LPS positions of all voxels, `(K, J, I, 3)`."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in on.array_shape), indexing="ij")
    index = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    return (index @ on.index_to_lps.T)[..., :3]


def ball(on: Grid, center: tuple[float, float, float], radius: float) -> np.ndarray:
    """Membership 0 to 1 of a ball in LPS mm with a rim 2 mm wide."""
    distance = np.linalg.norm(positions(on) - np.array(center), axis=-1)
    return np.clip((radius - distance) / 2 + 0.5, 0, 1)


BODY, LESION = (5.0, -11.0, 40.0), (11.0, -6.0, 36.0)


def pet(on: Grid) -> np.ndarray:
    """SUV 1 in a ball, 6 in a smaller one, 0.02 around."""
    return (0.02 + 0.98 * ball(on, BODY, 22) + 5 * ball(on, LESION, 9)).astype(np.float32)


def ct(on: Grid) -> np.ndarray:
    """Soft tissue in air."""
    return (-1000 + 1040 * ball(on, BODY, 22)).astype(np.float32)


def write_case(folder: Path, pet_grid: Grid, ct_grid: Grid | None = None) -> Case:
    folder.mkdir(parents=True, exist_ok=True)
    ct_grid = pet_grid if ct_grid is None else ct_grid
    write_volume(folder / "pet.nii.gz", Volume(pet(pet_grid), pet_grid))
    write_volume(folder / "ct.nii.gz", Volume(ct(ct_grid), ct_grid))
    files = {"PET": "pet.nii.gz", "CT": "ct.nii.gz"}
    return Case("c1", "c1", {m: ImageFile(folder / name) for m, name in files.items()})


def four_sequences(folder: Path, *, without: tuple[str, ...] = ()) -> Case:
    """A case of the preset `brats`: noise of four kinds inside one ball."""
    on = grid((24, 26, 22))
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    images = {}
    for modality in ("FLAIR", "T1c", "T1", "T2"):
        values = ball(on, BODY, 20) * (300 + 60 * generator.normal(size=on.array_shape))
        if modality not in without:
            path = folder / f"{modality}.nii.gz"
            write_volume(path, Volume(values.astype(np.float32), on))
            images[modality] = ImageFile(path)
    return Case("b1", "b1", images)
