"""Networks of positions: against known PMI, what they cannot leak, and their maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from textured_cases import KINDS, ball, prepared, texture, textured_case

from MDALSelectorLib.estimation import local_contrastive
from MDALSelectorLib.estimation.bank_critic import BankCritic, fit_bank_critic
from MDALSelectorLib.estimation.chance import Groups
from MDALSelectorLib.estimation.choice import floor_of_chance
from MDALSelectorLib.estimation.config import (
    ContrastiveConfig,
    CrossFitConfig,
    LocalContrastiveConfig,
    NormalizationConfig,
)
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit, spearman
from MDALSelectorLib.estimation.limits import ANYONE
from MDALSelectorLib.estimation.local_contrastive import (
    LocalContrastiveSettings,
    NetworkCritics,
    local_contrastive_estimates,
)
from MDALSelectorLib.estimation.local_maps import local_pmi_maps
from MDALSelectorLib.estimation.local_patches import (
    MIN_BOX_PLACES,
    LocalPatches,
    case_channels,
    patch_cohort,
    patches_at,
)
from MDALSelectorLib.estimation.patch_encoder import PatchEncoder
from MDALSelectorLib.estimation.patch_views import PatchViews
from MDALSelectorLib.estimation.position_sheet import LocalEstimates
from MDALSelectorLib.selection.critic_tensors import critic_tensors, critics_of
from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

N, PAIR = 20, ("a", "b")
SHARES = np.random.default_rng(5).permutation(np.linspace(0.05, 0.95, N))
TRAINING = ContrastiveConfig(
    batch_cases=8,
    views_per_case=24,
    max_steps=60,
    embedding_size=8,
    own_negatives=True,
    n_reliability_splits=1,
)
CONFIG = LocalContrastiveConfig(
    n_places=300,
    stop_places=24,
    channels=(4, 4, 8),
    n_outputs=16,
    n_bank=256,
    n_shuffles=6,
    training=TRAINING,
)
QUICK = replace(CONFIG, training=replace(TRAINING, max_steps=3, n_reliability_splits=0))
CPU = torch.device("cpu")


def cut(cases: Sequence[PreparedCase], modalities: str = "ab") -> LocalPatches:
    kinds = {m: KINDS[m] for m in modalities}
    blurs = [{}] * len(cases)
    return patch_cohort(cases, kinds, blurs=blurs, n_places=300, memory_mb=500)


def run(
    patches: LocalPatches,
    *,
    config: LocalContrastiveConfig = QUICK,
    pairs: Sequence[tuple[str, str]] = (PAIR,),
    patients: Sequence[str] | None = None,
    groups: Groups | None = None,
    reporter: Reporter | None = None,
    device: torch.device = CPU,
) -> LocalEstimates:
    n_cases = len(next(iter(patches.seen.values())))
    owners = patients or [f"c{i:02d}" for i in range(n_cases)]
    plan = plan_cross_fit(owners, config=CrossFitConfig(n_folds=2, n_repeats=2), seed=0)
    settings = LocalContrastiveSettings(config, NormalizationConfig(), device)
    return local_contrastive_estimates(
        patches, pairs, plan=plan, settings=settings, groups=groups, reporter=reporter
    )


@pytest.fixture(scope="module")
def cases() -> list[PreparedCase]:
    return [textured_case(f"c{i:02d}", seed=i, share=s) for i, s in enumerate(SHARES)]


@pytest.fixture(scope="module")
def patches(cases: list[PreparedCase]) -> LocalPatches:
    return cut(cases)


@pytest.fixture(scope="module")
def learned(patches: LocalPatches) -> LocalEstimates:
    return run(patches, config=CONFIG)


def networks(found: LocalEstimates) -> NetworkCritics:
    assert isinstance(found.critics, NetworkCritics)
    return found.critics


def known_patches(rho: float, n_cases: int, n_places: int) -> tuple[LocalPatches, np.ndarray]:
    """Patches of two correlated numbers in noise, and the PMI of the numbers, which is known."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=(n_cases, n_places))
    y = rho * x + np.sqrt(1 - rho**2) * generator.normal(size=x.shape)
    quadratic = (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * (1 - rho**2))
    values = {}
    for modality, number in zip(PAIR, (x, y), strict=True):
        noise = 0.3 * generator.normal(size=(n_cases, n_places, 2, 7, 7, 7))
        shown = number[..., None, None, None, None] + noise
        values[modality] = [case.astype(np.float16) for case in shown]
    seen = dict.fromkeys(PAIR, np.ones(x.shape, dtype=bool))
    return LocalPatches(seen, values), -0.5 * np.log(1 - rho**2) - quadratic


def test_the_pmi_of_positions_is_the_known_one_and_the_bound_lies_below_it() -> None:
    rho = 0.9
    patches, truth = known_patches(rho, n_cases=16, n_places=100)
    found = run(patches, config=CONFIG)
    (estimate,), critics = found.estimates, networks(found)
    information = -0.5 * np.log(1 - rho**2)
    assert 0.6 * information < estimate.bound_nats < information + 0.05
    pmi = np.empty_like(truth)
    for case, fold in enumerate(critics.fold_of_case):
        embedded = []
        for modality in PAIR:
            inputs = torch.from_numpy(patches.at(modality, case, np.arange(100)))
            with torch.no_grad():
                embedded.append(critics.encoders[fold][modality](inputs).double().numpy())
        pmi[case] = critics.critics[fold][PAIR].matched(*embedded)
    assert spearman(pmi.ravel(), truth.ravel()) > 0.85
    assert np.median(pmi) == pytest.approx(np.median(truth), abs=0.3)
    clipped = [np.clip(t, *np.percentile(t, (2, 98))).mean() for t in truth]
    assert spearman(estimate.pmi, np.array(clipped)) > 0.5  # they differ by chance alone
    assert estimate.low_pmi is not None
    low = np.median(np.percentile(truth, 5, axis=1))
    assert np.median(estimate.low_pmi) == pytest.approx(low, abs=0.3)


def test_cases_are_ranked_by_what_their_modalities_share(learned: LocalEstimates) -> None:
    (estimate,) = learned.estimates
    assert spearman(estimate.pmi, SHARES) > 0.7
    assert spearman(*estimate.half_pmi[0]) > 0.4  # encoders of six or seven cases each
    assert estimate.bound_nats > floor_of_chance(estimate)[0]
    assert len(estimate.repeat_pmi) == 1
    assert estimate.is_per_position


def test_modalities_of_different_patients_have_no_signal(cases: list[PreparedCase]) -> None:
    strangers = [
        prepared(c.case_id, {"a": c.images["a"], "b": cases[(i + 1) % N].images["b"]}, c.body)
        for i, c in enumerate(cases)
    ]
    (estimate,) = run(cut(strangers), config=CONFIG).estimates
    assert estimate.bound_nats < max(0.1, floor_of_chance(estimate)[0]) + 0.05


@pytest.mark.parametrize("content", [0.0, 1.0])
def test_only_what_is_shared_beyond_the_site_is_a_signal_where_sites_are_known(
    content: float,
) -> None:
    generator, site = np.random.default_rng(4), np.arange(24) % 3
    common = content * generator.normal(size=(24, 40))
    values = {}
    for modality in PAIR:
        number = 2.0 * site[:, None] + common + 0.2 * generator.normal(size=common.shape)
        shown = number[..., None, None, None, None] + np.zeros((2, 7, 7, 7))
        values[modality] = [case.astype(np.float16) for case in shown]
    patches = LocalPatches(dict.fromkeys(PAIR, np.ones(common.shape, dtype=bool)), values)
    config = replace(QUICK, training=replace(QUICK.training, max_steps=30))
    groups = {"site": [f"site-{s}" for s in site]}
    (known,) = run(patches, config=config, groups=groups).estimates
    unknown = replace(known, null_bounds={ANYONE: known.null_bounds[ANYONE]})
    assert known.bound_nats > max(0.1, floor_of_chance(unknown)[0])
    floor, grouping = floor_of_chance(known)
    assert grouping == "site"
    assert (known.bound_nats > floor + 0.1) is (content > 0)


def test_the_score_of_a_case_is_the_mean_of_its_map_and_low_where_nothing_fits(
    cases: list[PreparedCase], learned: LocalEstimates
) -> None:
    other = texture(np.random.default_rng(77), 24)
    row = int(np.argmax(SHARES))
    images = dict(cases[row].images)
    images["b"] = np.where(np.arange(24)[:, None, None] >= 15, other, images["b"])
    spoiled = replace(cases[row], images=images)
    (plain,), (swapped,) = (
        local_pmi_maps(case, row=row, critics=learned.critics, kinds=KINDS, blurs={}).values()
        for case in (cases[row], spoiled)
    )
    assert np.array_equal(np.isfinite(plain), ball(24, 9.0))
    assert np.nanmean(plain) == pytest.approx(learned.estimates[0].pmi[row], abs=0.2)
    assert np.nanmean(swapped[17:]) < np.nanmean(plain[17:]) - 0.3


def test_critics_come_back_from_their_tensors(
    cases: list[PreparedCase], learned: LocalEstimates
) -> None:
    tensors = critic_tensors(learned.critics, ["a", "b"], [PAIR])
    back = critics_of(tensors, ["a", "b"], [PAIR])
    assert back is not None
    one, two = (
        local_pmi_maps(cases[3], row=3, critics=critics, kinds=KINDS, blurs={})[PAIR]
        for critics in (learned.critics, back)
    )
    assert one.tobytes() == two.tobytes()
    name = next(n for n in tensors if n.endswith("mix.weight"))
    with pytest.raises(ValueError, match="fit each other"):
        critics_of({**tensors, name: tensors[name][:, :3]}, ["a", "b"], [PAIR])


def test_an_encoder_says_of_a_patch_what_it_says_of_that_position_of_the_volume(
    cases: list[PreparedCase],
) -> None:
    torch.manual_seed(0)
    encoder = PatchEncoder((3, 4, 5), 6)
    encoder.standardize(torch.tensor([0.2, -0.1]), torch.tensor([1.5, 0.7]))
    channels = case_channels(cases[0], "a", kind="CT", blurs={})
    voxels = np.array([[12, 11, 10], [3, 12, 12], [0, 0, 0], [23, 23, 5]])
    with torch.no_grad():
        whole = encoder.volume(torch.from_numpy(channels))
        alone = encoder(torch.from_numpy(patches_at(channels, voxels).astype(np.float32)))
    torch.testing.assert_close(alone, whole[tuple(voxels.T)], atol=2e-3, rtol=0)


def test_no_outline_of_the_body_shows_in_a_patch() -> None:
    body = ball(24, 7.0)
    flat = prepared("c", {"a": np.where(body, 2.0, -9.0).astype(np.float32)}, body)
    channels = case_channels(flat, "a", kind="CT", blurs={})
    np.testing.assert_allclose(channels[:, 5:19, 5:19, 5:19], 2.0, atol=1e-3)


def test_the_bank_makes_a_density_ratio_on_both_sides() -> None:
    generator = np.random.default_rng(0)
    first, second = (generator.normal(size=(300, 6)) for _ in range(2))
    first, second = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (first, second))
    critic = fit_bank_critic(first, second, scale=4.0, config=NormalizationConfig())
    ratio = np.exp(critic.matrix(first, second))
    np.testing.assert_allclose(ratio.mean(axis=0), 1.0, atol=0.05)
    np.testing.assert_allclose(ratio.mean(axis=1), 1.0, atol=0.05)
    np.testing.assert_allclose(
        critic.matched(first, second), critic.matrix(first, second).diagonal(), atol=1e-5
    )


def test_the_encoders_of_a_case_never_saw_its_patient(patches: LocalPatches) -> None:
    patients = [f"p{i // 2}" for i in range(N)]
    before = networks(run(patches, patients=patients))
    fold = int(before.fold_of_case[0])
    changed = {
        m: [v + 3 if before.fold_of_case[i] == fold else v for i, v in enumerate(of)]
        for m, of in patches.values.items()
    }
    after = networks(run(LocalPatches(patches.seen, changed), patients=patients))
    for modality in PAIR:
        one, two = (c.encoders[fold][modality].state_dict() for c in (before, after))
        assert all(torch.equal(one[name], two[name]) for name in one)
    other = 1 - fold
    one, two = (c.encoders[other]["a"].state_dict() for c in (before, after))
    assert any(not torch.equal(one[name], two[name]) for name in one)
    for part in fields(BankCritic):
        one, two = (getattr(c.critics[fold][PAIR], part.name) for c in (before, after))
        np.testing.assert_array_equal(one, two)
    assert before.fold_of_case[0] == before.fold_of_case[1]


def test_the_same_input_gives_the_same_bytes(patches: LocalPatches) -> None:
    one, two = (run(patches).estimates[0] for _ in range(2))
    assert one.repeat_pmi.tobytes() == two.repeat_pmi.tobytes()
    assert one.null_bounds[ANYONE].tobytes() == two.null_bounds[ANYONE].tobytes()


def test_missing_modalities_and_bodies_seen_nowhere_leave_the_others_alone(
    cases: list[PreparedCase],
) -> None:
    lacking = replace(cases[3], images={"a": cases[3].images["a"]})
    nowhere = prepared("c05", cases[5].images, np.zeros_like(cases[5].body))
    left = np.broadcast_to(np.arange(24) < 12, (24,) * 3)
    apart = replace(cases[7], bodies={"a": left, "b": ~left})
    mixed = [*cases[:3], lacking, cases[4], nowhere, cases[6], apart, *cases[8:]]
    (estimate,) = run(cut(mixed)).estimates
    assert estimate.case_index.tolist() == [i for i in range(N) if i not in (3, 5, 7)]
    assert np.isfinite(estimate.pmi).all()


def test_positions_that_one_modality_does_not_see_train_nothing(patches: LocalPatches) -> None:
    seen = {m: s.copy() for m, s in patches.seen.items()}
    hidden = np.flatnonzero(seen["b"][0])[::2]
    seen["b"][0, hidden] = False
    values = {m: list(v) for m, v in patches.values.items()}
    keep = np.isin(np.flatnonzero(patches.seen["b"][0]), hidden, invert=True)
    values["b"][0] = values["b"][0][keep]
    views = PatchViews(LocalPatches(seen, values), CONFIG)
    sampled = views.sample(np.array([0]), n_views=200, generator=torch.Generator().manual_seed(0))
    shown, _ = views.evaluation_views(np.array([0]))
    assert sampled["a"].shape == sampled["b"].shape == (1, 200, 2, 7, 7, 7)
    joint = patches.at("a", 0, np.flatnonzero(seen["a"][0] & seen["b"][0])[:24])
    np.testing.assert_array_equal(shown["a"][0].numpy(), joint)


class _Recorded(NullReporter):
    def __init__(self, stop_at: int = 10**9) -> None:
        self.stages: list[tuple[str, int]] = []
        self.n_steps = 0
        self._stop_at = stop_at
        self.warnings: list[str] = []

    def stage(self, name: str, total: int) -> None:
        self.stages.append((name, total))

    def advance(self, n: int = 1) -> None:
        self.n_steps += n
        if self.n_steps >= self._stop_at:
            raise CancelledError

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_every_training_is_a_step_of_the_progress(patches: LocalPatches) -> None:
    reporter = _Recorded()
    config = replace(QUICK, training=replace(QUICK.training, n_reliability_splits=1))
    run(patches, config=config, reporter=reporter)
    assert reporter.stages == [("PMI, local contrastive", 2 + 3)]
    assert reporter.n_steps == 5


def test_a_cancelled_estimation_ends(patches: LocalPatches) -> None:
    with pytest.raises(CancelledError):
        run(patches, reporter=_Recorded(stop_at=1))


def test_the_cpu_steps_in_when_the_memory_of_the_gpu_does_not_suffice(
    patches: LocalPatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = local_contrastive.train_fold

    def train_fold(*arguments: object, **settings: object) -> object:
        if settings["device"] != CPU:
            raise torch.cuda.OutOfMemoryError
        return real(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(local_contrastive, "train_fold", train_fold)
    reporter = _Recorded()
    found = run(patches, reporter=reporter, device=torch.device("meta"))
    assert reporter.warnings == ["The GPU does not have enough memory; the CPU is used instead."]
    np.testing.assert_array_equal(found.estimates[0].pmi, run(patches).estimates[0].pmi)


def test_of_large_cohorts_fewer_places_are_taken(cases: list[PreparedCase]) -> None:
    kinds = {m: KINDS[m] for m in PAIR}
    few = patch_cohort(cases[:5], kinds, blurs=[{}] * 5, n_places=1000, memory_mb=1)
    assert few.seen["a"].shape[1] == MIN_BOX_PLACES
    many = patch_cohort(cases[:3], kinds, blurs=[{}] * 3, n_places=1000, memory_mb=100)
    assert many.seen["a"].shape[1] == 1000
    np.testing.assert_array_equal(many.seen["a"][:, :MIN_BOX_PLACES], few.seen["a"][:3])
