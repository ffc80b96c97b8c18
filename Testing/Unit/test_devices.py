"""Which device is taken, and which error means that memory ran out."""

import pytest
import torch

from CIMLSegmentLib.inference.devices import choose_device, is_out_of_memory
from MultimodalImagingLib.errors import UsageError


@pytest.fixture
def one_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "auto"])
def test_a_gpu_that_is_there_is_taken(name):
    assert choose_device(name).type == "cuda"


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("name", ["cuda:1", "cuda:97", "mps", "meta"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(UsageError, match="1 CUDA devices were found"):
        choose_device(name)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_cpu_is_taken_but_not_in_place_of_a_named_gpu():
    assert choose_device("auto").type == "cpu"
    assert choose_device("cpu").type == "cpu"
    for name in ("cuda", "cuda:0"):
        with pytest.raises(UsageError, match="0 CUDA devices were found"):
            choose_device(name)


@pytest.mark.parametrize("name", ["", "toaster", "cuda:", "cuda:x", "cuda:-1"])
def test_a_name_that_no_device_has_is_refused(name):
    with pytest.raises(UsageError, match="named auto, cpu, cuda or cuda:<index>"):
        choose_device(name)


def test_only_a_lack_of_memory_counts_as_one():
    assert is_out_of_memory(torch.cuda.OutOfMemoryError())
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
