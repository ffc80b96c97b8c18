"""Settings: range and option of a field are said beside it, and nowhere else."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from typing import Annotated

import pytest

from CIMLSegmentLib.config import InferenceConfig, TrainingConfig
from CIMLSegmentLib.settings import (
    Must,
    Option,
    add_options,
    check_settings,
    settings_from_options,
)
from MultimodalImagingLib.errors import UsageError


@dataclass(frozen=True)
class Walk:
    steps: Annotated[int, Must("{name} above 0", lambda n: n > 0), Option("--steps")] = 10
    pause_s: Annotated[float | None, Option("--pause", bare=5.0)] = None
    is_slow: Annotated[bool, Option("--slow")] = False
    dog: Annotated[str, Must("the dog to be here", bool, "Call it.")] = "Rex"

    def __post_init__(self) -> None:
        check_settings(self, self._relations())

    def _relations(self):
        if self.is_slow and self.steps > 100:
            yield "Expected at most 100 slow steps."


def parsed(*words: str, **given: object) -> Walk:
    parser = argparse.ArgumentParser()
    add_options(parser, Walk)
    return settings_from_options(Walk, parser.parse_args(words), **given)


def test_options_give_the_settings_and_absent_ones_their_default():
    assert parsed() == Walk()
    assert parsed("--steps", "7", "--slow", "--pause", "1.5") == Walk(7, 1.5, is_slow=True)
    assert parsed("--pause", dog="Ada") == Walk(pause_s=5.0, dog="Ada")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "Expected steps above 0, got 0."),
        ({"dog": ""}, "Expected the dog to be here, got ''. Call it."),
        ({"steps": 200, "is_slow": True}, "Expected at most 100 slow steps."),
    ],
)
def test_a_value_out_of_range_is_refused_with_a_sentence(change, sentence):
    with pytest.raises(UsageError) as caught:
        Walk(**change)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("kind", [TrainingConfig, InferenceConfig])
def test_every_option_of_the_product_gives_the_default_of_its_field(kind):
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    said = vars(parser.parse_args([]))
    assert said
    assert said == {f.name: f.default for f in fields(kind) if f.name in said}
