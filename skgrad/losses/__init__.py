"""Losses: what one sample's prediction costs, as a function of the raw prediction."""

from skgrad._parameters import plug_in, unknown_name
from skgrad.losses._base import Loss
from skgrad.losses.absolute_error import AbsoluteError
from skgrad.losses.cross_entropy import CrossEntropy
from skgrad.losses.epsilon_insensitive import EpsilonInsensitive, SquaredEpsilonInsensitive
from skgrad.losses.hinge import Hinge, SquaredHinge
from skgrad.losses.huber import Huber
from skgrad.losses.logistic import Logistic
from skgrad.losses.moreau_envelope import MoreauEnvelope
from skgrad.losses.multi_quantile import MultiQuantile
from skgrad.losses.multinomial import Multinomial
from skgrad.losses.poisson import Poisson
from skgrad.losses.quantile import Quantile
from skgrad.losses.smoothed import Smoothed
from skgrad.losses.squared_error import SquaredError

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "CrossEntropy",
    "EpsilonInsensitive",
    "Hinge",
    "Huber",
    "Logistic",
    "Loss",
    "MoreauEnvelope",
    "MultiQuantile",
    "Multinomial",
    "Poisson",
    "Quantile",
    "Smoothed",
    "SquaredEpsilonInsensitive",
    "SquaredError",
    "SquaredHinge",
    "get_loss",
]

LOSSES: dict[str, type[Loss]] = {
    loss.name: loss
    for loss in (
        SquaredError,
        AbsoluteError,
        Huber,
        Quantile,
        MultiQuantile,
        EpsilonInsensitive,
        SquaredEpsilonInsensitive,
        Logistic,
        Multinomial,
        CrossEntropy,
        Hinge,
        SquaredHinge,
        Poisson,
    )
}


def get_loss(loss: str | Loss) -> Loss:
    """Turn a name into its loss with default parameters; a loss object is checked and kept.

    Parameters
    ----------
    loss : str or Loss
        A key of `LOSSES`, a name that another package registers under the entry point
        "skgrad.losses", or an object.

    Returns
    -------
    Loss
        The very object that was given, or a new one.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and the closest match.

    Examples
    --------
    >>> from skgrad.losses import get_loss
    >>> get_loss("huber")
    Huber()
    """
    if isinstance(loss, Loss):
        loss.validate()
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    plugged: type[Loss] | None = plug_in("skgrad.losses", loss)
    if plugged is not None:
        return plugged()
    raise unknown_name("loss", loss, LOSSES, "a Loss object")
