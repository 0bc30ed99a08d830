"""Mixup."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import Array, FloatArray
from skgrad.augmentation._base import Augmentation


class Mixup(Augmentation):
    r"""Convex combinations of random pairs of rows, and of their targets.

    .. math:: x_i \leftarrow \lambda x_i + (1 - \lambda) x_{\pi(i)}, \quad
              y_i \leftarrow \lambda y_i + (1 - \lambda) y_{\pi(i)}, \quad
              \lambda \sim \mathrm{Beta}(\alpha, \alpha)

    with a random permutation :math:`\pi` and one :math:`\lambda` per batch, as in [1]_.

    Parameters
    ----------
    alpha : float, default=0.2
        Strength: near 0 rows stay almost as they are; with 1 all proportions are equally likely.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. N. Dauphin and D. Lopez-Paz (2018). mixup: beyond empirical risk
       minimization. ICLR, arXiv:1710.09412v2, equation (1) and figure 1a.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.augmentation import Mixup
    >>> X, y = np.arange(8.0)[:, None], 2.0 * np.arange(8.0)
    >>> X, y = Mixup(alpha=1.0).apply(X, y, np.random.default_rng(0), np.ones(1))
    >>> bool(np.allclose(y, 2.0 * X[:, 0]))
    True
    """

    mixes_targets: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def apply(
        self, X: FloatArray, y: Array, rng: np.random.Generator, scale: FloatArray
    ) -> tuple[FloatArray, Array]:
        if y.dtype.kind != "f":
            raise ValueError(
                f"Mixup averages targets, but y has dtype {y.dtype}. Give classes as rows of "
                "probabilities."
            )
        own, partner = float(rng.beta(self.alpha, self.alpha)), rng.permutation(len(X))
        other = X[partner]
        other *= 1.0 - own
        X *= own
        X += other
        return X, own * y + (1.0 - own) * y[partner]
