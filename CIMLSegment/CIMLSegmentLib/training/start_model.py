"""Begin a training with the weights of a model: what is kept, what is new, and why it is.

A part is kept if it means the same in both networks and has the same shape: the encoder of a
modality, level by level; the gate of a primary and an auxiliary; the decoder of a primary that
reads messages of the same auxiliaries; its output, if the regions are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from CIMLSegmentLib.config import NetworkConfig
from CIMLSegmentLib.model.model import TrainedModel, load_model
from CIMLSegmentLib.model.model_description import ModelDescription, StartedFrom
from CIMLSegmentLib.network.network import CIMLNet, levels_needed
from CIMLSegmentLib.task.parts import Subtask
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.texts import counted, joined

_OTHER_SHAPE = "its shape differs"
_HEADS = "heads."


@dataclass
class Inheritance:
    """What a network takes over from a model.

    Attributes:
        start: The model.
        seen: Cases that had a part in the weights of the model.
        weights: Values of the new network that are kept, by their names in it.
        kept: Parts that are kept, in words.
        new: Parts that begin anew, in words, with the reason.
    """

    start: StartedFrom
    seen: tuple[str, ...] = ()
    weights: dict[str, Tensor] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> Iterator[str]:
        """Which parts were taken over, and which were not."""
        yield f"Started from the model {self.start.name}. Kept: {'; '.join(self.kept)}."
        yield f"New: {'; '.join(self.new)}." if self.new else "Nothing is new."

    def add(self, part: str, found: Mapping[str, Tensor] | None, reason: str) -> bool:
        """Count a part in; returns whether it is kept.

        Args:
            part: The part in words.
            found: Its values, by their names in the new network; `None` if it begins anew.
            reason: Why it does.
        """
        if found is None:
            self.new.append(f"{part} ({reason})")
        else:
            self.weights.update(found)
            self.kept.append(part)
        return found is not None


def inherit(folder: Path, task: Task, config: NetworkConfig) -> Inheritance:
    """Return what a new network takes over from the model in a folder.

    Args:
        folder: The model folder.
        task: What the new network segments.
        config: Its shape.

    Raises:
        ModelError: If the folder holds no model that can be used.
        UsageError: If the model lacks a modality of the task, or no encoder fits.
    """
    model = load_model(folder)
    check_modalities(model.description, task, folder)
    facts = model.facts
    start = StartedFrom(folder.resolve().name, model.description.model_id, facts.step)
    found = Inheritance(start, tuple(sorted(facts.seen_cases)))
    parts = _Parts(model, task, config)
    for modality in task.modalities:
        _add_encoder(found, parts, modality)
    if not found.kept:
        msg = (
            f"No encoder of the model {folder} has the shape that this training asks for. Leave the"
            " shape of the network out of --settings, or train without --from."
        )
        raise UsageError(msg)
    for subtask in task.subtasks:
        _add_subtask(found, parts, subtask)
    return found


def check_modalities(start: ModelDescription, task: Task, folder: Path) -> None:
    """Refuse a model to start from that was not trained with all modalities of a task.

    Raises:
        UsageError: If it lacks one.
    """
    known = start.task.modalities
    absent = [f"{m} ({kind})" for m, kind in task.modalities.items() if known.get(m) != kind]
    if absent:
        own = ", ".join(f"{modality} ({kind})" for modality, kind in known.items())
        msg = (
            "Expected a model to start from whose modalities include those of the task"
            f" {task.name}, but {folder} was trained with {own} and lacks {joined(absent)}. Choose"
            " another model or task, or train without --from."
        )
        raise UsageError(msg)


class _Parts:
    """The values of a model by what they mean, renamed for a new network."""

    def __init__(self, model: TrainedModel, task: Task, config: NetworkConfig) -> None:
        self.old, self.new = model.task, task
        self._values = model.network.state_dict()
        self._configs = (model.network.config, config)
        with torch.device("meta"):  # shapes alone
            self._wanted = CIMLNet(task, config).state_dict()

    def matching(self, old: str, new: str, *, but: str = "") -> dict[str, Tensor] | None:
        """Return the values under a prefix by their new names; `None` if a shape differs.

        Args:
            old: Prefix in the model.
            new: Prefix in the new network.
            but: What follows a prefix that is no part of it.
        """
        found = self._under(self._values, old, but)
        wanted = self._under(self._wanted, new, but)
        if {n: v.shape for n, v in found.items()} != {n: v.shape for n, v in wanted.items()}:
            return None
        return {new + name: values for name, values in found.items()}

    def n_levels(self, modality: str) -> tuple[int, int]:
        """Return how many levels the encoder of a modality has in the model and in the new one."""
        old, new = self._configs
        return levels_needed(self.old, old, modality), levels_needed(self.new, new, modality)

    def counterpart(self, subtask: Subtask) -> Subtask | None:
        """Return the sub-task of the model with the same primary that is most alike."""
        alike = [other for other in self.old.subtasks if other.primary == subtask.primary]
        same = [
            (other.regions == subtask.regions, other.auxiliaries == subtask.auxiliaries)
            for other in alike
        ]
        return alike[same.index(max(same))] if alike else None

    @staticmethod
    def _under(values: Mapping[str, Tensor], prefix: str, but: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): value
            for name, value in values.items()
            if name.startswith(prefix) and not (but and name.startswith(prefix + but))
        }


def _add_encoder(found: Inheritance, parts: _Parts, modality: str) -> None:
    old, new = (f"encoders.{task.modality_index(modality)}." for task in (parts.old, parts.new))
    there, wanted = parts.n_levels(modality)
    fitting: dict[str, Tensor] = {}
    n_kept = 0
    for level in range(min(there, wanted)):
        values = parts.matching(f"{old}levels.{level}.", f"{new}levels.{level}.")
        if values is None:
            break
        fitting |= values
        n_kept += 1
    part = f"the encoder of {modality}"
    if n_kept in (0, wanted):
        found.add(part, fitting if n_kept else None, _OTHER_SHAPE)
        return
    found.add(f"{part}, its first {counted(n_kept, 'level')}", fitting, "")
    found.add(f"{part} from level {n_kept + 1} on", None, _OTHER_SHAPE)


def _add_subtask(found: Inheritance, parts: _Parts, subtask: Subtask) -> None:
    other = parts.counterpart(subtask)
    for auxiliary in subtask.auxiliaries:
        part = f"the gate from {auxiliary} to {subtask.primary}"
        if other is None or auxiliary not in other.auxiliaries:
            found.add(part, None, "the model sends no such message")
        else:
            old = f"channels.{_pair(parts.old, other, auxiliary)}."
            new = f"channels.{_pair(parts.new, subtask, auxiliary)}."
            found.add(part, parts.matching(old, new), _OTHER_SHAPE)
    _add_decoder(found, parts, subtask, other)


def _add_decoder(
    found: Inheritance, parts: _Parts, subtask: Subtask, other: Subtask | None
) -> None:
    """Take over a decoder and its output; an output alone would mean nothing."""
    part = f"the decoder of {subtask.name}"
    if other is None:
        found.add(part, None, f"{subtask.primary} is primary nowhere in the model")
        return
    if other.auxiliaries != subtask.auxiliaries:
        messages = joined(other.auxiliaries) or "no modality"
        found.add(part, None, f"that of the model reads messages of {messages}")
        return
    old = f"decoders.{parts.old.subtasks.index(other)}."
    new = f"decoders.{parts.new.subtasks.index(subtask)}."
    if found.add(part, parts.matching(old, new, but=_HEADS), _OTHER_SHAPE):
        reason, heads = _OTHER_SHAPE, parts.matching(old + _HEADS, new + _HEADS)
        if other.regions != subtask.regions:
            reason, heads = f"that of the model is for {joined(other.regions)}", None
        found.add(f"its output for {joined(subtask.regions)}", heads, reason)


def _pair(task: Task, subtask: Subtask, auxiliary: str) -> int:
    return list(task.pairs()).index((subtask, auxiliary))
