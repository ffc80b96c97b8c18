"""The symmetric InfoNCE loss; minus the loss of unseen pairs bounds their mutual information."""

from __future__ import annotations

import torch
from torch import Tensor


def symmetric_info_nce(critic: Tensor, groups: Tensor | None = None) -> Tensor:
    """Return the mean negative log-odds of matched pairs against chance, both directions.

    A row's candidates are its matched column and the columns of other groups; the loss of a
    constant critic is 0 whatever their number. Minus the loss is a lower bound of the mutual
    information, nats, if the critic never saw the pairs; it is at most the log of the number of
    candidates.

    Args:
        critic: Critic of every row with every column, `(n, n)`; matched pairs on the diagonal.
        groups: Patient of each row, integers `(n,)`; all different by default.

    Returns:
        Scalar, nats.

    References:
        van den Oord et al., Representation learning with contrastive predictive coding, 2018.
    """
    matched = critic.diagonal()
    if groups is not None:
        is_own = groups[:, None] == groups[None, :]
        is_own.fill_diagonal_(False)
        critic = critic.masked_fill(is_own, -torch.inf)
        log_candidates = torch.log((len(critic) - is_own.sum(dim=1)).to(critic.dtype))
    else:
        log_candidates = torch.log(torch.tensor(float(len(critic)), dtype=critic.dtype))
    of_row = critic.logsumexp(dim=1) - matched
    of_column = critic.logsumexp(dim=0) - matched
    return (0.5 * (of_row + of_column) - log_candidates).mean()
