"""Normalisation of pre-activations: over the batch, or over the units of a layer."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, NamedTuple

import numpy as np

from skgrad._parameters import Parameterized, unknown_name
from skgrad._typing import FloatArray

# Keeps divisions by standard deviations safe; the value of the papers and of the peers.
EPSILON = 1e-5


class Moments(NamedTuple):
    """Mean and variance, in a shape that broadcasts with (n_units, n_samples)."""

    mean: FloatArray
    variance: FloatArray


class Normalization(Parameterized, ABC):
    r"""Centre and scale pre-activations, then let the network choose gain and shift.

    .. math:: \hat z = \frac{z - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad u = \gamma \hat z + \beta

    Attributes
    ----------
    axis : int
        Over which axis of (n_units, n_samples) the moments are taken.
    mixes_rows : bool
        Whether the moments come from several samples, so that predictions need stored ones.
    """

    name: ClassVar[str]
    axis: ClassVar[int]
    mixes_rows: ClassVar[bool]

    def moments(self, z: FloatArray) -> Moments:
        """Compute the moments of pre-activations."""
        mean = z.mean(axis=self.axis, keepdims=True)
        return Moments(mean, z.var(axis=self.axis, keepdims=True, mean=mean))

    def normalize(self, z: FloatArray, moments: Moments) -> FloatArray:
        """Normalise z in place; return the standard deviations that it was divided by."""
        deviation = np.sqrt(moments.variance + EPSILON)
        z -= moments.mean
        z /= deviation
        return deviation

    def pull_back(
        self, normalized: FloatArray, deviation: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        r"""Turn a gradient with respect to :math:`\hat z` into one with respect to z, in place.

        .. math:: \delta_z = (\delta - \overline{\delta} - \hat z \, \overline{\delta \hat z})
                  / \sigma
        """
        np.multiply(delta, normalized, out=scratch)
        slope = scratch.mean(axis=self.axis, keepdims=True)
        np.multiply(normalized, slope, out=scratch)
        delta -= delta.mean(axis=self.axis, keepdims=True)
        delta -= scratch
        delta /= deviation


class BatchNormalization(Normalization):
    """Normalise each unit over the samples of a batch.

    Predictions use moments of the training data, computed for the final parameters layer by layer,
    not running means that lag behind them (Wu and Johnson 2021, section 3).

    References
    ----------
    S. Ioffe and C. Szegedy (2015). Batch normalization: accelerating deep network training by
    reducing internal covariate shift. ICML 2015 (arXiv 1502.03167v3).

    Y. Wu and J. Johnson (2021). Rethinking "batch" in BatchNorm. arXiv 2105.07576v1.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network import BatchNormalization
    >>> z = np.array([[1.0, 3.0], [5.0, 9.0]])
    >>> BatchNormalization().moments(z).mean.tolist()
    [[2.0], [7.0]]
    """

    name = "batch"
    axis = 1
    mixes_rows = True


class LayerNormalization(Normalization):
    """Normalise each sample over the units of a layer.

    References
    ----------
    J. Ba, J. Kiros and G. Hinton (2016). Layer normalization. arXiv 1607.06450v1.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network import LayerNormalization
    >>> z = np.array([[1.0, 3.0], [5.0, 9.0]])
    >>> LayerNormalization().moments(z).mean.tolist()
    [[3.0, 6.0]]
    """

    name = "layer"
    axis = 0
    mixes_rows = False


NORMALIZATIONS: dict[str, type[Normalization]] = {
    kind.name: kind for kind in (BatchNormalization, LayerNormalization)
}


def get_normalization(normalization: str | Normalization | None) -> Normalization | None:
    """Turn a name into its normalisation; an object, or None, is kept.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and the closest match.
    """
    if normalization is None or isinstance(normalization, Normalization):
        return normalization
    if isinstance(normalization, str) and normalization in NORMALIZATIONS:
        return NORMALIZATIONS[normalization]()
    raise unknown_name("normalization", normalization, NORMALIZATIONS, "None")
