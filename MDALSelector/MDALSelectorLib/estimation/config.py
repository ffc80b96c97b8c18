"""Settings of the estimators: frozen, checked, JSON-able with `dataclasses.asdict`. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from MultimodalImagingLib.errors import UsageError

EstimatorName = Literal["auto", "local", "gaussian", "local-contrastive", "contrastive"]
# In the order in which they run; on a tie the first one ranks.
ESTIMATORS: tuple[EstimatorName, ...] = (
    "auto",
    "local",
    "gaussian",
    "local-contrastive",
    "contrastive",
)
# Estimators that learn from positions: thousands of pairs per case, and bounds per position.
NETWORK_ESTIMATORS = ("local-contrastive", "contrastive")
POSITION_ESTIMATORS = ("local", "local-contrastive")


@dataclass(frozen=True)
class CrossFitConfig:
    """How cases are held out of the training that scores them.

    Attributes:
        n_folds: Parts that the patients are split into; each is scored by models of the others.
        n_repeats: Times that the split is drawn anew; scores are averaged over them.
    """

    n_folds: int = 5
    n_repeats: int = 3

    def __post_init__(self) -> None:
        """Refuse what cannot be held out."""
        require(self.n_folds >= 2, "at least 2 folds", self.n_folds)
        require(self.n_repeats >= 1, "at least 1 repeat", self.n_repeats)


@dataclass(frozen=True)
class NormalizationConfig:
    """How the two-sided normalization iterates.

    Attributes:
        tolerance_nats: Largest estimated error of a score, nats; passes stop there.
        max_passes: Most passes over the critic matrix.
        block_rows: Rows of the critic matrix that are in memory at a time.
        n_mixed: Earlier passes that the acceleration combines; 0 for plain alternation.
    """

    tolerance_nats: float = 1e-3
    max_passes: int = 40
    block_rows: int = 256
    n_mixed: int = 5

    def __post_init__(self) -> None:
        """Refuse settings that never stop."""
        require(self.tolerance_nats > 0, "a positive tolerance in nats", self.tolerance_nats)
        require(self.max_passes >= 1, "at least 1 pass", self.max_passes)
        require(self.block_rows >= 1, "at least 1 row per block", self.block_rows)
        require(self.n_mixed >= 0, "0 or more mixed passes", self.n_mixed)


@dataclass(frozen=True)
class GaussianConfig:
    """Grid of the closed-form estimator.

    Attributes:
        n_components: Numbers of principal components to try.
        shrinkages: Shrinkages of the canonical correlations to try, unitless, in [0, 1).
        max_component_share: Components stay below this share of the training cases.
        max_correlation: Canonical correlations are clipped to it.
        n_shuffles: Shuffles of the pairs for the bound that chance alone reaches.
        n_reliability_splits: Repeats that are also scored by models of disjoint halves.
    """

    n_components: tuple[int, ...] = (2, 4, 8, 12, 16, 24, 32)
    shrinkages: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3)
    max_component_share: float = 0.4
    max_correlation: float = 0.995
    n_shuffles: int = 20
    n_reliability_splits: int = 3

    def __post_init__(self) -> None:
        """Refuse an empty or impossible grid."""
        components, shrinkages = self.n_components, self.shrinkages
        require(
            bool(components) and min(components) >= 1, "component numbers of at least 1", components
        )
        require(
            bool(shrinkages) and min(shrinkages) >= 0 and max(shrinkages) < 1,
            "shrinkages in [0, 1)",
            shrinkages,
        )
        share, limit = self.max_component_share, self.max_correlation
        require(0 < share <= 1, "a share of components in (0, 1]", share)
        require(0 < limit < 1, "a largest correlation in (0, 1)", limit)
        require(self.n_shuffles >= 0, "0 or more shuffles", self.n_shuffles)


@dataclass(frozen=True)
class ContrastiveConfig:
    """Shape and training of the encoders.

    Attributes:
        embedding_size: Length of the embeddings that are compared.
        hidden_size: Width of the unary heads.
        max_steps: Most optimizer steps per fold.
        evaluate_every: Steps between two looks at the cases that stop the training.
        patience: Looks without improvement after which the training stops.
        stop_share: Share of a fold's training cases that stop the training and are not trained on.
        batch_cases: Most cases per step.
        views_per_case: Places per case and step.
        learning_rate: AdamW step size.
        weight_decay: AdamW weight decay.
        scale_rate_factor: The scale of the cosine is learned so many times faster.
        initial_scale: First value of the learned scale of the cosine (1 / temperature). A large
            one drives embeddings that are not yet apart all together.
        max_scale: Largest scale.
        n_reliability_splits: Repeats in which models of thirds of the patients score the others.
        own_negatives: Whether other views of the same patient are negatives, too.
    """

    embedding_size: int = 16
    hidden_size: int = 32
    max_steps: int = 150
    evaluate_every: int = 10
    patience: int = 4
    stop_share: float = 0.2
    batch_cases: int = 32
    views_per_case: int = 4
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    scale_rate_factor: float = 10.0
    initial_scale: float = 2.0
    max_scale: float = 100.0
    n_reliability_splits: int = 1
    own_negatives: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained."""
        sizes = (self.embedding_size, self.hidden_size, self.max_steps, self.evaluate_every)
        require(min(sizes) >= 1, "sizes and steps of at least 1", sizes)
        require(self.patience >= 1, "a patience of at least 1", self.patience)
        require(0 < self.stop_share <= 0.5, "a share of stop cases in (0, 0.5]", self.stop_share)
        require(self.batch_cases >= 2, "at least 2 cases per batch", self.batch_cases)
        require(self.views_per_case >= 1, "at least 1 view per case", self.views_per_case)
        require(self.learning_rate > 0, "a positive learning rate", self.learning_rate)
        require(
            0 < self.initial_scale <= self.max_scale,
            f"a first scale in (0, {self.max_scale}]",
            self.initial_scale,
        )


@dataclass(frozen=True)
class CropConfig:
    """Crops of volumes, their augmentation, and the encoder that sees them.

    Attributes:
        edge_voxels: Edge of the cubic crops, working voxels.
        places_per_axis: Scored crops per axis of the body's bounding box.
        min_body_share: Scored crops with a smaller share of body do not count.
        channels: Outputs of the encoder's convolutions, each of which halves the crop.
        gain: Spread of the log of the random gain of a view.
        offset: Spread of the random offset, in units of the normalized intensities.
        gamma: Spread of the log of the random exponent.
        noise: Spread of the amplitude of the random noise, in the same units as the offset.
        memory_mb: Memory for cases that have been read, MiB.
    """

    edge_voxels: int = 16
    places_per_axis: int = 3
    min_body_share: float = 0.3
    channels: tuple[int, ...] = (16, 32, 64)
    gain: float = 0.1
    offset: float = 0.1
    gamma: float = 0.1
    noise: float = 0.1
    memory_mb: int = 1024

    def __post_init__(self) -> None:
        """Refuse crops that the encoder cannot halve."""
        n_halvings = len(self.channels)
        require(n_halvings >= 1, "at least one convolution", self.channels)
        smallest = 2 ** (n_halvings + 1)
        require(
            self.edge_voxels >= smallest, f"crops of at least {smallest} voxels", self.edge_voxels
        )
        require(self.places_per_axis >= 1, "at least 1 place per axis", self.places_per_axis)


@dataclass(frozen=True)
class LocalConfig:
    """Positions and critic of the local estimator.

    Attributes:
        n_places: Places in the box around each body; about half of them lie in the body.
        ridge: Added to the variances of the normal scores, unitless.
        n_shuffles: Shuffles of the pairs, which differ little, for the bound of chance alone.
        n_reliability_splits: Repeats that are also scored by critics of disjoint halves.
    """

    n_places: int = 4000
    ridge: float = 0.01
    n_shuffles: int = 8
    n_reliability_splits: int = 2

    def __post_init__(self) -> None:
        """Refuse settings that score nothing."""
        require(self.n_places >= 100, "at least 100 places", self.n_places)
        require(self.ridge > 0, "a positive ridge", self.ridge)
        require(self.n_shuffles >= 0, "0 or more shuffles", self.n_shuffles)


@dataclass(frozen=True)
class LocalContrastiveConfig:
    """Positions, encoders and training of the contrastive form of the local estimator.

    Attributes:
        n_places: Places in the box around each body, the first of the closed form's; about half of
            them lie in the body.
        stop_places: Places of each of the cases that stop a training.
        channels: Outputs of the three convolutions of a branch.
        n_outputs: What an encoder says of a position, before it is projected.
        n_bank: Positions that the critic is normalized over.
        n_repeats: Repeats of the cross-fitting; every case gives hundreds of pairs, and one is
            enough.
        n_shuffles: Exchanges of the patients for the bound of chance alone.
        memory_mb: Memory for patches, MiB; of large cohorts fewer places are taken.
        training: Batches of positions, steps and step size.
    """

    n_places: int = 1000
    stop_places: int = 48
    channels: tuple[int, int, int] = (16, 16, 32)
    n_outputs: int = 32
    n_bank: int = 1024
    n_repeats: int = 1
    n_shuffles: int = 20
    memory_mb: int = 1024
    training: ContrastiveConfig = field(
        default_factory=lambda: ContrastiveConfig(
            batch_cases=16, views_per_case=24, max_steps=100, own_negatives=True
        )
    )

    def __post_init__(self) -> None:
        """Refuse settings that score nothing."""
        require(self.n_places >= 100, "at least 100 places", self.n_places)
        require(self.stop_places >= 2, "at least 2 places that stop a training", self.stop_places)
        sizes = (*self.channels, self.n_outputs)
        require(min(sizes) >= 1, "layers of at least 1 output", sizes)
        require(self.n_bank >= 64, "a bank of at least 64 positions", self.n_bank)
        require(self.n_repeats >= 1, "at least 1 repeat", self.n_repeats)
        require(self.n_shuffles >= 0, "0 or more shuffles", self.n_shuffles)


@dataclass(frozen=True)
class EstimationConfig:
    """How PMI is estimated and when a pair of modalities counts.

    Attributes:
        estimator: `auto` ranks by the one that repeats and has a signal, see `choice`.
        seed: Seed of folds, networks and augmentation.
        min_cases: Pairs that fewer cases have are not used.
        min_bound_nats: Pairs with a held-out bound at or below it are not used, nats.
        device: torch device; `None` for the GPU when there is one, else the CPU.
    """

    estimator: EstimatorName = "auto"
    seed: int = 0
    min_cases: int = 30
    min_bound_nats: float = 0.1
    device: str | None = None
    cross_fit: CrossFitConfig = field(default_factory=CrossFitConfig)
    local: LocalConfig = field(default_factory=LocalConfig)
    local_contrastive: LocalContrastiveConfig = field(default_factory=LocalContrastiveConfig)
    gaussian: GaussianConfig = field(default_factory=GaussianConfig)
    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)

    def __post_init__(self) -> None:
        """Refuse unknown names and impossible limits."""
        require(self.estimator in ESTIMATORS, f"an estimator of {ESTIMATORS}", self.estimator)
        require(self.seed >= 0, "a seed of 0 or more", self.seed)
        require(self.min_cases >= 4, "at least 4 cases per pair", self.min_cases)


def require(is_met: bool, expected: str, found: object) -> None:
    """Refuse a setting that is not as expected.

    Raises:
        UsageError: If it is not.
    """
    if not is_met:
        msg = f"Expected {expected}, got {found!r}. Correct the setting and start again."
        raise UsageError(msg)
