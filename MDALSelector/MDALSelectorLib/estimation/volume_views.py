"""Views of cases that are volumes: crops at the same place of all modalities of a case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from MDALSelectorLib.estimation.config import CropConfig
from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.encoders import VolumeEncoder
from MultimodalImagingLib.images.arrays import MaskArray, bounding_box
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

HalfArray = npt.NDArray[np.float16]
# Places that training crops of a case are drawn from are a regular part of its body voxels.
MAX_CENTERS = 4096


class VolumeViews:
    """Cases whose modalities are volumes on one grid; reads a case when it is needed."""

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        *,
        available: Mapping[str, MaskArray],
        config: CropConfig,
    ) -> None:
        """Look at the cases when their views are asked for.

        Args:
            cases: The prepared cases; an index reads the case if it is not in memory.
            available: Which cases have each modality, in the order of the cohort, `(n_cases,)`.
            config: Size of the crops, augmentation, encoder and memory.
        """
        self._cases, self._config = cases, config
        self._available = dict(available)
        self._memory: dict[int, _CropCase] = {}
        self._lock = Lock()

    @property
    def available(self) -> Mapping[str, MaskArray]:
        """Which cases have each modality."""
        return self._available

    @property
    def n_places(self) -> int:
        """Crops per case that scores are taken from."""
        return self._config.places_per_axis**3

    def sample(
        self, cases: IntArray, *, n_views: int, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Draw crops inside the body, turned and flipped alike in all modalities."""
        edge = self._config.edge_voxels
        having = {m: cases[self._available[m][cases]].tolist() for m in self._available}
        views = {
            m: np.empty((len(having[m]), n_views, 1, edge, edge, edge), dtype=np.float32)
            for m in self._available
        }
        row = dict.fromkeys(self._available, 0)
        for case in cases.tolist():
            loaded = self._load(case)
            picked = torch.randint(len(loaded.starts), (n_views,), generator=generator)
            turns = torch.randint(48, (n_views,), generator=generator).tolist()
            for modality, image in loaded.images.items():
                for view, start in enumerate(loaded.starts[picked.numpy()]):
                    crop = _crop(image, start, edge)
                    views[modality][row[modality], view, 0] = _turned(crop, turns[view])
                row[modality] += 1
        return {
            m: _augmented(torch.from_numpy(v), self._config, generator) for m, v in views.items()
        }

    def evaluation_views(self, cases: IntArray) -> tuple[Mapping[str, Tensor], MaskArray]:
        """Return crops on a grid over the body's box; those with little body do not count."""
        loaded = [self._load(case) for case in cases.tolist()]
        edge = self._config.edge_voxels
        views = {}
        for modality in self._available:
            crops = [
                np.stack([_crop(c.images[modality], s, edge) for s in c.places])
                for c, has in zip(loaded, self._available[modality][cases], strict=True)
                if has
            ]
            shape = (len(crops), self.n_places, 1, edge, edge, edge)
            stacked = np.stack(crops) if crops else np.empty(shape)
            views[modality] = torch.from_numpy(stacked.astype(np.float32).reshape(shape))
        return views, np.stack([case.counts for case in loaded])

    def make_encoder(
        self,
        modality: str,  # noqa: ARG002
        cases: IntArray,  # noqa: ARG002
        *,
        generator: torch.Generator,  # noqa: ARG002
    ) -> tuple[nn.Module, int]:
        """Return convolutions of the configured widths; their weights are drawn later."""
        channels = self._config.channels
        return VolumeEncoder(channels), channels[-1]

    def _load(self, index: int) -> _CropCase:
        with self._lock:
            if index not in self._memory:
                loaded = _CropCase.from_prepared(self._cases[index], self._available, self._config)
                room = self._config.memory_mb * 2**20 - loaded.n_bytes
                while self._memory and sum(c.n_bytes for c in self._memory.values()) > room:
                    del self._memory[next(iter(self._memory))]
                self._memory[index] = loaded
            return self._memory[index]


@dataclass(frozen=True, eq=False)
class _CropCase:
    """A case in memory, padded to at least one crop.

    Attributes:
        images: Per modality that the case has, `(K, J, I)`.
        starts: First voxels of training crops, `(n, 3)`.
        places: First voxels of the scored crops, `(n_places, 3)`.
        counts: Which of the scored crops hold enough body, `(n_places,)`.
    """

    images: Mapping[str, HalfArray]
    starts: IntArray
    places: IntArray
    counts: MaskArray

    @property
    def n_bytes(self) -> int:
        return sum(image.nbytes for image in self.images.values()) + self.starts.nbytes

    @classmethod
    def from_prepared(
        cls, case: PreparedCase, modalities: Iterable[str], config: CropConfig
    ) -> _CropCase:
        edge = config.edge_voxels
        short = [max(0, edge - n) for n in case.body.shape]
        padding = [(n // 2, n - n // 2) for n in short]
        body = np.pad(_joint_body(case), padding)
        places = _grid_starts(body, edge, config.places_per_axis)
        share = np.array([_crop(body, start, edge).mean() for start in places])
        return cls(
            images={
                m: np.pad(case.images[m], padding).astype(np.float16)
                for m in modalities
                if m in case.images
            },
            starts=_random_starts(body, edge),
            places=places,
            counts=share >= min(config.min_body_share, share.max()),
        )


def _joint_body(case: PreparedCase) -> MaskArray:
    joint = np.logical_and.reduce([case.body, *case.coverage.values()])
    return np.asarray(joint if joint.any() else np.ones_like(joint))


def _random_starts(body: MaskArray, edge: int) -> IntArray:
    """Return starts whose crop lies in the volume and has its center in the body."""
    inner = tuple(slice(edge // 2, n - edge + edge // 2 + 1) for n in body.shape)
    starts = np.argwhere(body[inner])
    if not len(starts):
        starts = np.argwhere(np.ones_like(body[inner]))
    return starts[:: -(-len(starts) // MAX_CENTERS)]


def _grid_starts(body: MaskArray, edge: int, n_per_axis: int) -> IntArray:
    """Return starts of crops whose centers divide the body's bounding box evenly."""
    axes = []
    for part, size in zip(bounding_box(body), body.shape, strict=True):
        length = part.stop - part.start
        centers = part.start + (np.arange(n_per_axis) + 0.5) / n_per_axis * length
        axes.append(np.clip(np.rint(centers - edge / 2), 0, size - edge).astype(np.int64))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _crop(image: npt.NDArray[np.generic], start: IntArray, edge: int) -> npt.NDArray[np.generic]:
    k, j, i = start
    return image[k : k + edge, j : j + edge, i : i + edge]


def _turned(crop: npt.NDArray[np.generic], turn: int) -> npt.NDArray[np.generic]:
    """Return one of the 48 reflections and right-angle rotations of a cube."""
    order = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))[turn // 8]
    flips = tuple(slice(None, None, -1 if turn >> axis & 1 else 1) for axis in range(3))
    return crop.transpose(order)[flips]


def _augmented(views: Tensor, config: CropConfig, generator: torch.Generator) -> Tensor:
    """Change gain, offset and gamma of each view and add noise, independently per modality."""
    shape = (*views.shape[:2], 1, 1, 1, 1)
    gain, offset, gamma, noise = (
        spread * torch.randn(shape, generator=generator)
        for spread in (config.gain, config.offset, config.gamma, config.noise)
    )
    bent = views.sign() * views.abs().clamp(min=1e-3) ** gamma.exp()
    noisy = torch.randn(views.shape, generator=generator) * noise
    return bent * gain.exp() + offset + noisy
