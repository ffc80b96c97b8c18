"""*Try it*: from nothing to a ranking, or to a segmentation with its first map, in two clicks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from plain_text import tool_tip

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "Testing" / "Helpers"))
SELECTOR, SEGMENTER = (ROOT / name / f"{name}.py" for name in ("MDALSelector", "CIMLSegment"))
MODALITIES = ("PET", "CT", "T1")


@pytest.fixture
def cache(scene, tmp_path):
    """The folder that Slicer keeps sample data in, empty as in a fresh profile."""
    manager = scene.GetCacheManager()
    before = manager.GetRemoteCacheDirectory()
    manager.SetRemoteCacheDirectory(str(tmp_path / "cache"))
    yield tmp_path / "cache"
    manager.SetRemoteCacheDirectory(before)


@pytest.fixture
def cohort(cache):
    """A small cohort where the sample is, as if it had been made: making it takes seconds."""
    from runs import write_small_cohort

    folder = cache / "CrossModal-synthetic-cohort"
    write_small_cohort(folder / "cohort")
    return mark(folder, "cohort") / "cohort"


@pytest.fixture
def patient(cache):
    """A small patient where the sample is, as if it had been made."""
    import example_result as example

    from MultimodalImagingLib.images.volume_io import write_volume

    folder = cache / "CrossModal-synthetic-patient"
    folder.mkdir(parents=True)
    for name in MODALITIES:
        volume = example.image(name, example.grid())
        write_volume(folder / f"synthetic-patient_{name}.nii.gz", volume)
    return mark(folder, "patient")


def mark(folder, sample):
    """Say in a folder which sample it holds."""
    (folder / "sample.json").write_text(json.dumps({"sample": sample}), encoding="utf-8")
    return folder


@pytest.fixture
def selector(cache, load_module, messages):
    return load_module(SELECTOR)


@pytest.fixture
def segmenter(selector, load_module):
    panel = load_module(SEGMENTER)
    yield panel
    panel.logic.browser.remove()


@pytest.fixture
def model(host, tmp_path, monkeypatch):
    """A model for PET, CT and T1 comes with CrossModal, beside one for something else."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    import example_result as example

    from CIMLSegmentLib.model import shipped_models

    monkeypatch.setattr(shipped_models, "_PLACES", (tmp_path / "Models",))
    example.write_model(tmp_path / "Models" / "another", "brats")
    return example.write_model(tmp_path / "Models" / "some")


def files_of(patient):
    return {name: str(patient / f"synthetic-patient_{name}.nii.gz") for name in MODALITIES}


def volumes_of(panel):
    chosen = (getattr(panel._parameterNode, f"volume{n}") for n in (1, 2, 3))
    return [node.GetName() for node in chosen if node is not None]


def sources():
    import slicer

    if not hasattr(slicer.modules, "sampleDataSources"):
        pytest.skip("The application was built without the module Sample Data.")
    return {one.sampleName: one for one in slicer.modules.sampleDataSources["CrossModal"]}


# --- MDALSelector -----------------------------------------------------------------------------


def test_one_click_brings_a_cohort_that_can_be_ranked(selector, cohort, drive, wait_until):
    assert "'Try it' makes a synthetic cohort" in selector.ui.cohortSummaryLabel.text
    assert "Nothing is downloaded" in tool_tip(selector.ui.tryButton)

    drive.click(selector.ui.tryButton)

    wait_until(lambda: bool(selector.cases.visibleCases()))
    assert selector._parameterNode.cohortPath == str(cohort)
    assert selector.ui.startButton.enabled or selector.setupSection.problem


def test_a_cohort_that_was_chosen_meanwhile_stays(
    selector, cohort, drive, wait_until, tmp_path, messages
):
    from runs import write_small_cohort

    other = str(write_small_cohort(tmp_path / "other", 2))
    drive.click(selector.ui.tryButton)
    selector.ui.cohortPathLineEdit.currentPath = other
    wait_until(lambda: not selector.inspection.isBusy)

    assert selector._parameterNode.cohortPath == other
    assert str(cohort) in selector.ui.inspectStatusLabel.text
    assert selector.cases.rows == []
    assert messages.messages == []


def test_the_button_is_prominent_until_a_cohort_is_chosen(selector, cohort):
    assert not selector.ui.tryButton.autoRaise
    selector.ui.cohortPathLineEdit.currentPath = str(cohort)
    assert selector.ui.tryButton.autoRaise
    assert selector.ui.tryButton.enabled


def test_a_sample_that_cannot_be_made_is_explained(selector, cache, drive, wait_until, messages):
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "CrossModal-synthetic-cohort").write_text("mine")

    drive.click(selector.ui.tryButton)
    wait_until(lambda: not selector.inspection.isBusy)

    assert "exists already and was left as it is" in "".join(messages.messages)
    assert selector._parameterNode.cohortPath == ""


# --- CIMLSegment ------------------------------------------------------------------------------


def finish(panel):
    """Finish a segmentation of the chosen volumes with a ready-made result."""
    import example_result as example
    import slicer

    run = panel.logic._runs.prepare(panel._parameterNode, panel.logic.model)
    example.write_example(run.output, example.grid(), case=run.case)
    job = object()
    panel.logic._running[job] = run
    panel.onSegmented(job)
    slicer.app.processEvents()


def test_one_click_brings_a_patient_that_can_be_segmented_and_its_result_a_map(
    segmenter, patient, model, drive, wait_until
):
    import slicer

    drive.click(segmenter.ui.tryButton)
    wait_until(lambda: len(volumes_of(segmenter)) == len(MODALITIES))

    assert segmenter._parameterNode.modelPath == str(model)
    assert volumes_of(segmenter) == [f"Synthetic patient {name}" for name in MODALITIES]
    assert segmenter.ui.segmentButton.enabled or segmenter.setupSection.problem
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    shown = slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID())
    assert shown.GetName() == "Synthetic patient PET"

    finish(segmenter)

    assert segmenter.logic.browser.shown is not None
    assert segmenter.logic.browser.shown[0] is segmenter._parameterNode.result
    assert segmenter.ui.removeOverlayButton.enabled


def test_loading_twice_adds_nothing(segmenter, patient, model):
    import slicer

    for _time in range(2):
        segmenter.loadSample(files_of(patient))
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    assert sorted(names) == sorted(f"Synthetic patient {name}" for name in MODALITIES)


def test_results_of_other_patients_show_no_map_by_themselves(segmenter, patient, model):
    import example_result as example
    import slicer

    from MultimodalSlicerLib.volume_nodes import addVolume

    for name in MODALITIES:
        addVolume(slicer.mrmlScene, example.image(name, example.grid()), f"Other {name}")
    segmenter.ui.modelPathLineEdit.currentPath = str(model)
    slicer.app.processEvents()
    finish(segmenter)
    assert segmenter._parameterNode.result is not None
    assert segmenter.logic.browser.shown is None


@pytest.fixture
def no_model(tmp_path, monkeypatch):
    """No model comes with CrossModal."""
    from CIMLSegmentLib.model import shipped_models

    monkeypatch.setattr(shipped_models, "_PLACES", (tmp_path / "none",))


def test_without_a_fitting_model_it_says_so(segmenter, patient, no_model):
    with pytest.raises(ValueError, match="No model for PET, CT, T1 came with CrossModal"):
        segmenter.loadSample(files_of(patient))
    assert volumes_of(segmenter) == []


# --- the module Sample Data -------------------------------------------------------------------


def test_sample_data_offers_two_synthetic_sources_and_a_public_one(selector):
    offered = sources()
    assert list(offered) == [
        "Synthetic cohort (12 cases, MR)",
        "Synthetic patient (PET/CT/T1)",
        "Sarcoma STS_010 (PET/CT/T1, CC BY 3.0)",
    ]
    for source in offered.values():
        assert Path(source.thumbnailFileName).is_file()
        if source.customDownloader is None:
            assert all(uri.startswith("https://") for uri in source.uris)
            assert all(len(one) == len("SHA256:") + 64 for one in source.checksums)
        else:
            assert list(source.uris) == []


def test_pictures_are_as_large_as_slicer_asks_for(selector):
    import qt

    sizes = [qt.QPixmap(one.thumbnailFileName) for one in sources().values()]
    assert {(picture.width(), picture.height()) for picture in sizes} == {(260, 280)}


def test_names_of_the_public_images_are_understood(selector):
    from CIMLSegmentLib.task.task_io import load_task
    from CIMLSegmentPanelLib.nodes.input_matching import modalityOfName

    public = sources()["Sarcoma STS_010 (PET/CT/T1, CC BY 3.0)"]
    task = load_task("pet-ct-mr")
    assert [modalityOfName(name, task) for name in public.nodeNames] == list(MODALITIES)


def test_no_included_model_has_seen_the_public_patient(selector):
    from CIMLSegmentLib.model.shipped_models import shipped_models

    sources()
    descriptions = [folder / "model.json" for folder in shipped_models().values()]
    assert descriptions
    for path in descriptions:
        content = json.loads(path.read_text(encoding="utf-8"))
        assert "STS_010" not in {*content["training_cases"], *content["validation_cases"]}


def test_the_included_model_for_the_patient_is_found(host):
    from CIMLSegmentPanelLib.nodes.sample_case import shippedModel

    assert shippedModel(MODALITIES).folder.name == "sarcoma-pet-ct-mr"


def test_the_cohort_of_sample_data_opens_in_mdal_selector(
    selector, cohort, load_module, drive, wait_until
):
    import slicer

    click_source(drive, "Synthetic cohort (12 cases, MR)")
    wait_until(lambda: bool(selector.cases.visibleCases()))
    assert selector._parameterNode.cohortPath == str(cohort)
    assert slicer.util.selectedModule() == "MDALSelector"


def test_the_patient_of_sample_data_is_loaded(selector, patient, drive, wait_until):
    import slicer

    from MultimodalSlicerLib.sample_nodes import patientVolumes

    click_source(drive, "Synthetic patient (PET/CT/T1)")
    wait_until(lambda: len(patientVolumes(slicer.mrmlScene)) == len(MODALITIES))
    tone = {name: node.GetDisplayNode() for name, node in patientVolumes(slicer.mrmlScene).items()}
    assert tone["CT"].GetWindowLevelMin() == -160
    assert "InvertedGrey" in tone["PET"].GetColorNodeID()


def click_source(drive, name):
    import slicer

    assert name in sources()
    slicer.util.selectModule("SampleData")
    panel = slicer.modules.SampleDataWidget
    drive.click(slicer.util.findChild(panel.parent, f"{name}PushButton"))


def test_loading_the_patient_does_not_hold_up_the_window(segmenter, patient, model):
    from pulse import longest_standstill

    found = longest_standstill(
        lambda: segmenter.loadSample(files_of(patient)),
        lambda: len(volumes_of(segmenter)) == len(MODALITIES),
    )
    assert found.cpu_s < 0.3, found.calls(4)
