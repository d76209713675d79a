"""The threshold of rows whose order means nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from edge_lasso.detecting.thresholds import CONFIDENCE, Rate, Threshold

Array = npt.NDArray[Any]


def exchangeable(scores: Array, part: float) -> Threshold:
    """The threshold for rows whose order means nothing: exact for any number of them (split conformal prediction).

    Of n scores of normal rows and a further one, each place in their order is as likely: the further one is above the
    k-th largest with probability k / (n + 1) at most, k being the whole part of ``part (n + 1)``, or 1 if that is 0
    (Vovk et al. 2005). This is the mean over all sets of rows that could have been drawn; of one such set the rate
    varies, as Beta(k, n + 1 - k), whose ends are given.
    """
    n = len(scores)
    k = max(1, math.floor(part * (n + 1)))
    score = float(np.sort(scores)[n - k])
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = float(betaincinv(k, n + 1 - k, tail)), float(betaincinv(k, n + 1 - k, 1.0 - tail))
    above = int((scores > score).sum())
    return Threshold(score, Rate(min(k / (n + 1), 0.5)), "exchangeable", above / n, low, high, k / (n + 1), n, above, 1)
