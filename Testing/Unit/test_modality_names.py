"""What the built-in table makes of names as public cohorts, scanners and users write them."""

from __future__ import annotations

import pytest
from modality_names import UNKNOWN, table_rows

from MultimodalImagingLib.cohorts.modality_patterns import DEFAULT_PATTERNS, parse_pattern

ROWS = table_rows()


def test_the_table_is_large() -> None:
    assert len(ROWS) > 250


@pytest.mark.parametrize(("source", "name", "modality"), ROWS)
def test_a_name_is_understood_or_said_to_be_unknown(source: str, name: str, modality: str) -> None:
    match = DEFAULT_PATTERNS.match(name)
    assert (match.target or UNKNOWN) == modality, (source, match)


def test_case_and_separators_do_not_matter() -> None:
    for source, name, modality in ROWS:
        if "space-" not in name:  # an entity of BIDS is known by its hyphen
            for other in (name.upper(), name.replace("_", "-"), name.replace(" ", "_")):
                found = DEFAULT_PATTERNS.match(other).target or UNKNOWN
                assert found == modality, (source, other)


@pytest.mark.parametrize("name", ["t1_post", "t1_mprage_gd", "gd_t1", "vibe_km"])
def test_what_a_row_of_the_users_own_says_is_not_made_a_contrast_image(name: str) -> None:
    sequence = "vibe" if "vibe" in name else "t1"
    table = DEFAULT_PATTERNS.with_first([parse_pattern(f"{sequence}=T1")])
    assert table.match(name).target == "T1"


def test_the_user_can_add_a_contrast_word_and_a_denial() -> None:
    rows = [parse_pattern("agent_x=+contrast"), parse_pattern("dry=-contrast")]
    table = DEFAULT_PATTERNS.with_first(rows)
    assert table.match("t1_sag_agent_x").target == "T1c"
    assert table.match("t1_sag_dry").target == "T1"
    assert table.match("t1_sag_agent_x_dry").candidates == ("T1", "T1c")
