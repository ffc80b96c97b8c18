import pytest
from example_training import bright_ball, bright_balls

from CIMLSegmentLib.training.train import split_by_patient


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return bright_balls(tmp_path_factory.mktemp("cases"), 10).cases  # five patients, two cases each


def test_no_patient_is_on_both_sides_and_no_case_is_lost(cases):
    patient = {case.case_id: case.patient_id for case in cases}
    for seed in range(10):
        split = split_by_patient(cases, share=0.4, seed=seed)
        assert sorted([*split.training, *split.validation]) == sorted(patient)
        assert not {patient[c] for c in split.training} & {patient[c] for c in split.validation}
        assert len({patient[c] for c in split.validation}) == 2


def test_split_follows_the_seed_and_not_the_order_of_the_cases(cases):
    first = split_by_patient(cases, share=0.2, seed=1)
    assert split_by_patient(cases[::-1], share=0.2, seed=1) == first
    assert len({split_by_patient(cases, share=0.2, seed=s) for s in range(10)}) > 1


@pytest.mark.parametrize(("share", "n_kept"), [(0.0, 0), (0.01, 1), (0.6, 3), (1.0, 4)])
def test_a_case_is_always_left_to_train_on(cases, share, n_kept):
    split = split_by_patient(cases, share=share, seed=0)
    assert len(split.validation) == 2 * n_kept


def test_two_patients_are_both_trained_on(cases):
    assert split_by_patient(cases[:4], share=0.5, seed=0).validation == ()


def test_chosen_cases_are_kept(cases):
    split = split_by_patient(cases, share=0.2, seed=0, chosen=("case 5", "case 4"))
    assert split.validation == ("case 4", "case 5")


def test_patient_of_one_case_may_be_chosen_alone(tmp_path):
    cases = [bright_ball(tmp_path, number) for number in (0, 2, 4)]
    assert split_by_patient(cases, share=0, seed=0, chosen=("case 2",)).validation == ("case 2",)
