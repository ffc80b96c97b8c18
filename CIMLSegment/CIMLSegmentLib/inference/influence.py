"""Shapley contributions: what the message of each auxiliary changed in the prediction.

For a sub-task with auxiliaries A and p_S(x) the probability of a region where only the messages of
S reach the decoder (the others are the prior's mean, which training with absences has met):

    phi_j(x) = sum over S without j of |S|! (|A| - |S| - 1)! / |A|! (p_{S+j}(x) - p_S(x))

(Shapley, A value for n-person games, 1953). Their sum is p_A - p_none, exactly; a message that
changes nothing has 0. Over overlapping windows probabilities are blended, so that this stays true.
The prediction that labels come of is the sigmoid of blended logits, another mean where windows
disagree; `Testing/Evidence/influence_blending.py` measures how far apart they are. Encoders and
gates run once per window, the decoder once per subset. Where neither with all messages nor with
none a voxel of a window reaches 1 %, the difference, which is smaller than that, is divided evenly
among the auxiliaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

from CIMLSegmentLib.network.network import CIMLNet, CIMLOutput, Exchange
from CIMLSegmentLib.task.parts import Subtask
from CIMLSegmentLib.task.task import Task

NOTICED = 0.01  # probability below which a window is not looked at closely
MOST_EXACT = 4  # auxiliaries whose subsets are all computed
N_ORDERS = 16  # sampled in pairs of opposite ones, for more auxiliaries

Value = Callable[[frozenset[int]], Tensor]


class InfluenceChannel(NamedTuple):
    """One channel of the outputs: a contribution, or the prediction without any message.

    Attributes:
        subtask: Name of the sub-task.
        region: Name of one of its regions.
        auxiliary: Whose contribution it is; `None` for the prediction without messages.
    """

    subtask: str
    region: str
    auxiliary: str | None


class WithheldChannel(NamedTuple):
    """One channel of the outputs: the logit where the message of one auxiliary is withheld.

    Attributes:
        subtask: Name of the sub-task.
        region: Name of one of its regions.
        auxiliary: The auxiliary.
        what: Tells it from a contribution.
    """

    subtask: str
    region: str
    auxiliary: str
    what: str = "withheld"


Channel = InfluenceChannel | WithheldChannel


def influence_channels(task: Task) -> list[Channel]:
    """Return what the channels of `window_influence` are, in their order."""
    channels: list[Channel] = []
    for subtask in task.subtasks:
        if subtask.auxiliaries:
            name, senders, regions = subtask.name, subtask.auxiliaries, subtask.regions
            channels += [InfluenceChannel(name, r, a) for a in (None, *senders) for r in regions]
            channels += [WithheldChannel(name, r, a) for a in senders for r in regions]
    return channels


def window_influence(
    network: CIMLNet, features: list[list[Tensor]], exchange: Exchange, output: CIMLOutput
) -> Tensor:
    """Compute the contributions in windows.

    Args:
        network: The network.
        features: Features of the windows, as `CIMLNet.encode` returns them.
        exchange: Their messages, of the same auxiliaries in all windows.
        output: What the network makes of them.

    Returns:
        Channels `(B, channels, K, J, I)` in the order of `influence_channels`: probabilities
        without messages, 0 to 1, signed changes of probability, -1 to 1, and logits without one
        message, which are those of the output in windows that are not looked at closely.
    """
    parts: list[Tensor] = []
    for subtask in network.task.subtasks:
        if subtask.auxiliaries:
            logits = output.logits[subtask.name].float()
            parts += _of_subtask(network, subtask, features, exchange, logits)
    return torch.cat(parts, dim=1)


def _of_subtask(
    network: CIMLNet,
    subtask: Subtask,
    features: list[list[Tensor]],
    exchange: Exchange,
    logits: Tensor,
) -> list[Tensor]:
    """Return the channels of a sub-task: see `influence_channels`."""
    everything = logits.sigmoid()
    index = network.task.modality_index
    players = [a for a in subtask.auxiliaries if bool(exchange.present[0, index(a)])]
    primary = index(subtask.primary)
    listened = [(levels, number == primary) for number, levels in enumerate(features)]

    def decoded(senders: frozenset[int], windows: Tensor | slice) -> Tensor:
        withheld = [name for number, name in enumerate(players) if number not in senders]
        cut = [[level[windows] for level in levels] if own else [] for levels, own in listened]
        sent = {
            key: message[windows]
            for key, message in exchange.messages.items()
            if key.subtask == subtask.name
        }
        return network.decode(subtask, cut, sent, withheld=withheld)[0].float()

    if not players:
        n = len(subtask.auxiliaries)
        return [everything, *([torch.zeros_like(everything)] * n), *([logits] * n)]
    bare = decoded(frozenset(), slice(None))
    nothing = bare.sigmoid()
    without = [bare] if len(players) == 1 else [logits.clone() for _ in players]
    found = [(everything - nothing) / len(players) for _ in players]
    noticed = torch.maximum(everything, nothing).flatten(1).amax(dim=1) >= NOTICED
    if len(players) > 1 and bool(noticed.any()):
        whole = frozenset(range(len(players)))
        kept = {frozenset[int](): bare[noticed], whole: logits[noticed]}

        def value(senders: frozenset[int]) -> Tensor:
            reached = kept[senders] if senders in kept else decoded(senders, noticed)
            if len(senders) == len(players) - 1:
                kept[senders] = reached
            return reached.sigmoid()

        for player, values in enumerate(shapley_values(value, len(players))):
            found[player][noticed] = values
            value(whole - {player})
            without[player][noticed] = kept[whole - {player}]
    by_name = dict(zip(players, zip(found, without, strict=True), strict=True))
    absent = (torch.zeros_like(everything), logits)
    columns = [by_name.get(name, absent) for name in subtask.auxiliaries]
    return [nothing, *(changed for changed, _ in columns), *(left for _, left in columns)]


def shapley_values(value: Value, n_players: int, *, seed: int = 0) -> list[Tensor]:
    """Divide the value of all players together among them.

    Args:
        value: Returns what a set of players reaches, tensors of one shape.
        n_players: At least 1; above `MOST_EXACT` the orders in which players join are sampled.
        seed: Seed of that.

    Returns:
        A tensor per player. They add up to `value(all) - value(none)`, also where sampled.
    """
    if n_players > MOST_EXACT:
        return _sampled(value, n_players, seed)
    total: list[Tensor] = []
    for senders, weight in _weighted_subsets(n_players):
        reached = value(senders)
        total = total or [torch.zeros_like(reached) for _ in range(n_players)]
        for player in range(n_players):
            total[player] += weight[player in senders] * reached
    return total


def _weighted_subsets(n: int) -> Iterator[tuple[frozenset[int], Mapping[bool, float]]]:
    """Yield each subset of n players with its weight in the values of its members and of others."""
    for size in range(n + 1):
        inside = 1 / (n * comb(n - 1, size - 1)) if size else 0.0
        outside = -1 / (n * comb(n - 1, size)) if size < n else 0.0
        for members in combinations(range(n), size):
            yield frozenset(members), {True: inside, False: outside}


def _sampled(value: Value, n: int, seed: int) -> list[Tensor]:
    """Mean over sampled orders and their opposites of what each player adds when it joins."""
    generator = torch.Generator().manual_seed(seed)
    half = [torch.randperm(n, generator=generator).tolist() for _ in range(N_ORDERS // 2)]
    orders: Sequence[list[int]] = [*half, *(order[::-1] for order in half)]
    total: list[Tensor] = []
    for order in orders:
        before = value(frozenset())
        total = total or [torch.zeros_like(before) for _ in range(n)]
        for place, player in enumerate(order, start=1):
            after = value(frozenset(order[:place]))
            total[player] += (after - before) / len(orders)
            before = after
    return total
