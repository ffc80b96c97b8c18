"""When the modalities of a case do not seem to belong together: limits, checked, JSON-able."""

from __future__ import annotations

from dataclasses import dataclass

from MDALSelectorLib.estimation.config import require


@dataclass(frozen=True)
class PairingConfig:
    """When a case is flagged; most limits are made from the cohort by these.

    Attributes:
        false_flag_rate: Expected share of well-aligned cases that are flagged as misaligned,
            over all pairs of modalities together.
        min_gain: Smaller gains of the edges' agreement by a shift are never flagged.
        max_unrelated_z: Images whose agreement lies further above that with other patients' images
            than this many standard deviations belong together.
        min_usual_z: A modality whose median distance in the cohort is less than that says nothing
            about who belongs to whom.
        min_cases: Cohorts with fewer cases are judged by the two absolute limits below.
        absolute_gain: Gain that is flagged in a small cohort.
        absolute_agreement: Agreement below which a modality does not belong to the others, where
            there are too few other patients to compare with.
        absolute_pose_gain: Gain of a mirrored or turned image that is flagged in a small cohort.
        min_foreign_z: Another patient's image that fits better than the own one must stand out by
            this many standard deviations.
        copy_correlation: Voxels of two modalities that correlate more are the same image.
        pmi_iqr: A PMI this many interquartile ranges below the first quartile is flagged.
    """

    false_flag_rate: float = 0.05
    min_gain: float = 0.02
    max_unrelated_z: float = 3.0
    min_usual_z: float = 3.0
    min_cases: int = 12
    absolute_gain: float = 0.12
    absolute_agreement: float = 0.15
    absolute_pose_gain: float = 0.1
    min_foreign_z: float = 6.0
    copy_correlation: float = 0.9999
    pmi_iqr: float = 3.0

    def __post_init__(self) -> None:
        """Refuse limits that flag every case or none."""
        rate = self.false_flag_rate
        require(0 < rate < 1, "a share of falsely flagged cases in (0, 1)", rate)
        require(self.min_gain >= 0, "a smallest gain of 0 or more", self.min_gain)
        require(self.max_unrelated_z > 0, "a positive distance", self.max_unrelated_z)
        require(self.min_usual_z > 0, "a positive usual distance", self.min_usual_z)
        require(self.min_cases >= 4, "at least 4 cases to take limits from", self.min_cases)
        require(self.absolute_gain > 0, "a positive gain for small cohorts", self.absolute_gain)
        agreement = self.absolute_agreement
        require(-1 <= agreement <= 1, "an agreement in [-1, 1]", agreement)
        gain = self.absolute_pose_gain
        require(gain > 0, "a positive gain of poses for small cohorts", gain)
        require(self.min_foreign_z > 0, "a positive distance of others", self.min_foreign_z)
        copy = self.copy_correlation
        require(0 < copy <= 1, "a correlation of copies in (0, 1]", copy)
        require(self.pmi_iqr > 0, "a positive number of interquartile ranges", self.pmi_iqr)
