"""Entries swapped between rows, or dropped."""

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import Array, FloatArray
from skgrad.augmentation._base import Augmentation


class FeatureDropout(Augmentation):
    r"""Some entries of each row replaced, so that no prediction hangs on a single column.

    .. math:: x_{ij} \leftarrow x_{\pi_j(i) j} \text{ with probability } p

    Parameters
    ----------
    p : float, default=0.1
        Probability that an entry is replaced, in [0, 1].
    fill : {"swap", "zero"}, default="swap"
        "swap" takes the value that the column has in another, random row of the batch (swap
        noise): it stays in the column's distribution, whatever its unit, and codes stay codes.
        "zero" puts 0, which means "about average" only in centred columns; the other entries are
        not scaled up.

    References
    ----------
    P. Vincent, H. Larochelle, Y. Bengio and P.-A. Manzagol (2008). Extracting and composing robust
    features with denoising autoencoders. ICML, section 2.3 (zeros).

    D. Bahri, H. Jiang, Y. Tay and D. Metzler (2022). SCARF: self-supervised contrastive learning
    using random feature corruption. ICLR, arXiv:2106.15147v2, algorithm 1 (swaps).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.augmentation import FeatureDropout
    >>> X, y = np.ones((1000, 3)), np.zeros(1000)
    >>> dropped, _ = FeatureDropout(0.2, fill="zero").apply(
    ...     X, y, np.random.default_rng(0), np.ones(3)
    ... )
    >>> float(dropped.mean().round(1))
    0.8
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "p": [Interval(Real, 0, 1, closed="both")],
        "fill": [StrOptions({"swap", "zero"})],
    }

    def __init__(self, p: float = 0.1, *, fill: Literal["swap", "zero"] = "swap") -> None:
        self.p = p
        self.fill = fill

    def apply(
        self, X: FloatArray, y: Array, rng: np.random.Generator, scale: FloatArray
    ) -> tuple[FloatArray, Array]:
        n_batch = len(X)
        rows, columns = np.nonzero(rng.random(X.shape, dtype=np.float32) < self.p)
        if self.fill == "zero":
            X[rows, columns] = 0.0
        elif n_batch > 1:
            # Any row but the own one; the right side is a copy, made before X changes.
            others = (rows + rng.integers(1, n_batch, size=len(rows))) % n_batch
            X[rows, columns] = X[others, columns]
        return X, y
