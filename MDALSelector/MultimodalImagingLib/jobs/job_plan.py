"""What a job is going to do: its stages, how much work each of them is, and how long that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Seconds per step and unit of work, by the name of a stage, as earlier jobs on this computer took.
Speeds = Mapping[str, float]


@dataclass(frozen=True)
class PlannedStage:
    """A stage that a job will go through, unless its result is kept from before.

    Attributes:
        name: As `Reporter.stage` will name it.
        n_steps: How many steps it will have.
        usual_s: Seconds per step and unit of work where nothing was learned yet.
        size: Work per step in a unit that the stage chooses, such as megavoxels of a case.
        joins: Whether it takes turns with the stage before it, and is counted as one with it.
    """

    name: str
    n_steps: int
    usual_s: float
    size: float = 1.0
    joins: bool = False


@dataclass(frozen=True)
class JobPlan:
    """The stages of a job in their order.

    Attributes:
        kind: What the job is, such as `select`; speeds are learned by kind.
        stages: The stages.
        device: What the user lets it compute on.
        speeds: What was measured in this very job, seconds per step and unit by name of a stage;
            counts before what earlier jobs took.
    """

    kind: str
    stages: tuple[PlannedStage, ...]
    device: str = "cpu"
    speeds: Speeds = field(default_factory=dict)

    def key(self, stage: str) -> str:
        """Return the name under which the speed of a stage is kept."""
        return f"{self.kind}/{stage}/{self.device}"
