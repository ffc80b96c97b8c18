"""The MONAI bundle: MONAI runs it, its output is ours, and nothing in it is executed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from example_segmentation import SMALL, four_sequences

from CIMLSegmentLib import bundle_components
from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.bundle_components import BundleSegmenter
from CIMLSegmentLib.config import InferenceConfig, TrainingConfig
from CIMLSegmentLib.inference.segmentation_job import Outcome
from CIMLSegmentLib.model.bundle import export_bundle
from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import ModelDescription
from CIMLSegmentLib.network.network import build_network
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.errors import CrossModalError, ModelError, UsageError
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    task = load_task("brats")
    description = ModelDescription(
        task,
        SMALL,
        TrainingConfig(patch_size=(16, 16, 16)),
        PreprocessingSpec((2.0, 2.0, 2.0), dict(task.modalities)),
    )
    save_model(tmp_path / "model", TrainedModel(build_network(task, SMALL, seed=0), description))
    return tmp_path / "model"


def run_with_monai(bundle: Path, **settings: object) -> None:
    """Run a bundle as a user would; MONAI's command line needs the package fire."""
    arguments = {"config_file": "configs/inference.json", **settings}
    if importlib.util.find_spec("fire") is not None:
        options = [text for k, v in arguments.items() for text in (f"--{k}", str(v))]
        command = [sys.executable, "-m", "monai.bundle", "run", *options]
    else:
        call = f"from monai.bundle import run; run(**{arguments!r})"
        command = [sys.executable, "-c", call]
    path = os.pathsep.join([str(ROOT / "MDALSelector"), str(ROOT / "CIMLSegment")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=bundle, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_monai_runs_the_bundle_and_gets_our_output(model: Path, tmp_path: Path) -> None:
    four_sequences(tmp_path / "cohort" / "b1")
    cohort = str(tmp_path / "cohort")
    assert main(["export", str(model), "--monai-bundle", str(tmp_path / "bundle")]) == 0
    run_with_monai(
        tmp_path / "bundle",
        dataset_dir=cohort,
        output_dir=str(tmp_path / "monai"),
        attention=True,
    )
    ours = ["segment", cohort, "--model", str(model), "--attention"]
    assert main([*ours, "--output", str(tmp_path / "ours")]) == 0
    folders = [tmp_path / name / "b1" for name in ("monai", "ours")]
    names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert names[0] == names[1]
    assert len(names[0]) == 3 + 9 + 9 + 6
    for name in set(names[0]) - {"result.json"}:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_the_bundle_holds_no_code_and_no_pickle(model: Path, tmp_path: Path) -> None:
    bundle = export_bundle(model, tmp_path / "bundle")
    files = sorted(p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file())
    assert files == [
        "configs/inference.json",
        "configs/metadata.json",
        "docs/README.md",
        "models/model.json",
        "models/model.safetensors",
    ]
    weights = load_model(bundle / "models").network.state_dict()
    for name, values in load_model(model).network.state_dict().items():
        assert bool((weights[name] == values).all())


def test_metadata_describe_channels_in_and_out(model: Path, tmp_path: Path) -> None:
    bundle = export_bundle(model, tmp_path / "bundle")
    content = json.loads((bundle / "configs" / "metadata.json").read_text())
    required = {"version", "monai_version", "pytorch_version", "numpy_version", "task"}
    assert required <= content.keys()
    data_format = content["network_data_format"]
    assert data_format["inputs"]["image"]["channel_def"]["0"] == "FLAIR"
    assert data_format["outputs"]["TC-ET"]["channel_def"] == {"0": "TC", "1": "ET"}
    assert data_format["inputs"]["image"]["spatial_shape"] == [16, 16, 16]


def test_an_older_bundle_is_kept_unless_asked(model: Path, tmp_path: Path) -> None:
    bundle = export_bundle(model, tmp_path / "bundle")
    before = (bundle / "configs" / "metadata.json").stat().st_mtime_ns
    with pytest.raises(UsageError, match="--overwrite"):
        export_bundle(model, bundle)
    assert (bundle / "configs" / "metadata.json").stat().st_mtime_ns == before
    export_bundle(model, bundle, overwrite=True)
    assert (bundle / "configs" / "metadata.json").stat().st_mtime_ns != before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["mine.txt", "eval/case/result.json", "configs/mine.json"])
def test_what_is_no_bundle_or_holds_more_is_never_replaced(
    model: Path, tmp_path: Path, overwrite: bool, name: str
) -> None:
    empty, bundle = tmp_path / "mine", export_bundle(model, tmp_path / "bundle")
    for folder in (empty, bundle):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
        with pytest.raises(UsageError, match="left as it"):
            export_bundle(model, folder, overwrite=overwrite)
        assert (folder / name).read_text() == "mine"
    assert len(list(empty.iterdir())) == 1


def test_a_bundle_that_was_edited_is_never_replaced(model: Path, tmp_path: Path) -> None:
    bundle = export_bundle(model, tmp_path / "bundle")
    config = bundle / "configs" / "inference.json"
    config.write_text(config.read_text().replace("0.5", "0.8"))
    with pytest.raises(UsageError, match=r"configs/inference\.json"):
        export_bundle(model, bundle, overwrite=True)
    assert "0.8" in config.read_text()


def test_a_bundle_is_not_written_into_its_model(model: Path, tmp_path: Path) -> None:
    before = sorted(model.rglob("*"))
    for folder in (model, model / "bundle", model / ".." / model.name / "x"):
        with pytest.raises(UsageError, match="holds the model"):
            export_bundle(model, folder, overwrite=True)
    assert sorted(model.rglob("*")) == before


def test_what_is_no_model_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError):
        export_bundle(tmp_path / "empty", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_case_that_fails_makes_the_bundle_fail(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    four_sequences(tmp_path / "cohort" / "b1")
    failed = Outcome({}, (), {"b1": "It is damaged."})
    monkeypatch.setattr(bundle_components, "segment_cases", lambda *_, **__: failed)
    cohort, output = str(tmp_path / "cohort"), str(tmp_path / "out")
    segmenter = BundleSegmenter(load_model(model), InferenceConfig(), cohort, output)
    with pytest.raises(CrossModalError, match="1 case was not segmented: b1"):
        segmenter.run()
    with pytest.raises(UsageError, match="Expected a folder of images"):
        BundleSegmenter(load_model(model), InferenceConfig(), "", output)
