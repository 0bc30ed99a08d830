"""What Adam and its relatives share: two moments of the gradient, and their parameters."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, final

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.objective import Objective
from skgrad.schedules import Schedule
from skgrad.solvers._stochastic import Moments, StochasticSolver, displacement_scale


class AdamFamily(StochasticSolver):
    """Base of solvers that divide a running mean of gradients by a running size of them.

    A subclass says in `update` what the size is.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }
    # How many arrays like the parameters an update remembers.
    n_moments: ClassVar[int] = 2

    def __init__(
        self,
        learning_rate: float | str | Schedule = "auto",
        *,
        batch_size: int | str = "auto",
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        shuffle: bool = True,
        clip: float | tuple[str, float] | None = None,
        average: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.shuffle = shuffle
        self.clip = clip
        self.average = average
        self.weight_decay = weight_decay

    @final
    def init_moments(self, w: FloatArray) -> Moments:
        """Build mean and size of the gradient, and what else a subclass remembers."""
        return tuple(np.zeros_like(w) for _ in range(self.n_moments))

    @final
    def automatic_rate(self, objective: Objective, w: FloatArray, batch_size: int) -> float:
        """Start with a tenth of the longest way that a coordinate seems to have to go."""
        return 0.1 * displacement_scale(objective, w)
