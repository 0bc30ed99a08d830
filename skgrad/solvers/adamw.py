"""AdamW: Adam for networks, with decoupled weight decay."""

from __future__ import annotations

from skgrad.capabilities import Capability
from skgrad.schedules import Schedule
from skgrad.solvers.adam import Adam


class AdamW(Adam):
    r"""Adam that also shrinks a network's weights, whatever their gradient is.

    .. math:: w \leftarrow (1 - \eta_t \lambda) w_t, \qquad
              w_{t+1} = w - \eta_t
              \frac{m_t / (1 - \beta_1^t)}{\sqrt{V_t / (1 - \beta_2^t)} + \epsilon}

    with :math:`\lambda` the `weight_decay` and the moments of `Adam`. It is
    ``Adam(weight_decay=0.01)`` under the name by which it is known.

    An L2 penalty (the estimator's `alpha`) is part of the objective, has the same minimum for every
    solver, and its gradient is divided by :math:`\sqrt{V_t}` like the loss's: weights with large
    gradients are shrunk less. Decay is no part of the objective. It shrinks all weights (not
    biases, gains and shifts) by the same share, where it ends depends on the learning rate and its
    schedule, and the losses in ``history_`` do not contain it. Both may be used together.

    Linear models are refused: they are fitted to the minimum of their objective, which decay would
    move. Their penalty (`C`, `alpha`) means the same for all solvers.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step :math:`\eta`; for networks "auto" is 0.001.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`.
    beta_1 : float in [0, 1), default=0.9
        Memory of the mean gradient.
    beta_2 : float in [0, 1), default=0.999
        Memory of the mean square.
    epsilon : float, default=1e-8
        Keeps the division safe.
    shuffle, clip, average
        As in `SGD`.
    weight_decay : float, default=0.01
        Share :math:`\lambda` of a weight that is taken off it per unit of learning rate.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import MLPClassifier
    >>> from skgrad.schedules import Cosine
    >>> from skgrad.solvers import AdamW
    >>> X, y = load_iris(return_X_y=True)
    >>> solver = AdamW(Cosine(0.01), weight_decay=0.1)
    >>> clf = MLPClassifier((20,), solver=solver, max_iter=300, random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    I. Loshchilov and F. Hutter (2019). Decoupled weight decay regularization. ICLR 2019 (arXiv
    1711.05101v3), algorithm 2; the learning rate also multiplies the decay, as in PyTorch.
    """

    name = "adamw"
    needs = frozenset({Capability.LAYERS})

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
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(
            learning_rate, batch_size=batch_size, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon,
            shuffle=shuffle, clip=clip, average=average, weight_decay=weight_decay,
        )  # fmt: skip
