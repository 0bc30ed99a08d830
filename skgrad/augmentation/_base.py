"""The contract of an augmentation."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from skgrad._parameters import Parameterized
from skgrad._typing import Array, FloatArray


class Augmentation(Parameterized, ABC):
    """A random change of a mini-batch that should leave what there is to learn as it is.

    It acts on training batches only, anew each time a row comes up; predictions and the scores of
    held-out rows see the data as they are.

    Attributes
    ----------
    mixes_targets : bool
        Whether targets come back as weighted means of rows. Classes must be given as rows of
        probabilities then.

    See Also
    --------
    GaussianNoise, Mixup, FeatureDropout : The augmentations.

    Examples
    --------
    An augmentation of one's own, for columns whose sign means nothing:

    >>> import numpy as np
    >>> from skgrad.augmentation import Augmentation
    >>> class RandomSign(Augmentation):
    ...     def apply(self, X, y, rng, scale):
    ...         X *= rng.choice([-1.0, 1.0], size=X.shape)
    ...         return X, y
    >>> X, y = np.array([[1.0, 2.0]]), np.array([0.0])
    >>> np.abs(RandomSign().apply(X, y, np.random.default_rng(0), np.ones(2))[0]).tolist()
    [[1.0, 2.0]]
    """

    mixes_targets: ClassVar[bool] = False

    @abstractmethod
    def apply(
        self, X: FloatArray, y: Array, rng: np.random.Generator, scale: FloatArray
    ) -> tuple[FloatArray, Array]:
        """Change a mini-batch.

        Parameters
        ----------
        X : ndarray of shape (n_batch, n_features)
            Rows, float32 or float64, in a buffer that is the batch's own: it may be changed in
            place.
        y : ndarray of shape (n_batch,) or (n_batch, n_outputs)
            Targets. Never changed in place.
        rng : numpy.random.Generator
        scale : ndarray of shape (n_features,)
            Standard deviations of the columns over all training rows.

        Returns
        -------
        X, y : ndarrays
            Of the same shapes and dtypes; they may be the ones that were given.
        """
