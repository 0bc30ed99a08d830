"""What coefficients cost, and where they may be: from an estimator's parameters to a penalty."""

from __future__ import annotations

from typing import Any

from skgrad._parameters import Parameterized
from skgrad.penalties import NoPenalty, Penalty
from skgrad.penalties.constraints import Constrained, Constraint

# Constraints on the parameters of estimators that take objects.
OBJECTS: dict[str, list[Any]] = {"penalty": [Penalty, None], "constraint": [Constraint, None]}


def with_objects(estimator: Any, plain: Penalty, scalars: tuple[str, ...]) -> Penalty:
    """Put the objects that a user gave in place of, or on top of, the penalty of the scalars.

    Parameters
    ----------
    estimator : estimator
        Has the parameters ``penalty`` and ``constraint``, and knows the columns of X.
    plain : Penalty
        What the scalar parameters say.
    scalars : tuple of str
        Their names.

    Returns
    -------
    Penalty
        One that knows columns by their positions.

    Raises
    ------
    ValueError
        If something is given twice, or a column is unknown.
    """
    penalty, constraint = estimator.penalty, estimator.constraint
    if penalty is None and constraint is None:
        return plain
    if penalty is not None:
        _refuse_scalars(estimator, penalty, scalars)
    names = getattr(estimator, "feature_names_in_", None)
    names, width = None if names is None else names.tolist(), estimator.n_features_in_
    whole: Penalty = (plain if penalty is None else penalty).bind(names, width)
    if constraint is None:
        return whole
    if whole.region is not None or whole.nonnegative:
        given = "positive=True" if penalty is None else f"penalty={penalty!r}"
        raise ValueError(
            f"A constraint was given twice: {given} and constraint={constraint!r}. Give one; a Box "
            "holds bounds and signs of single columns."
        )
    bound = constraint.bind(names, width)
    if isinstance(whole, NoPenalty):
        return bound
    both = Constrained(whole, bound)
    both.validate()
    return both


def _refuse_scalars(estimator: Parameterized, penalty: Penalty, scalars: tuple[str, ...]) -> None:
    """Raise if a scalar parameter was given too."""
    defaults = estimator._defaults()
    for name in scalars:
        value = getattr(estimator, name)
        if value != defaults[name]:
            raise ValueError(
                f"The penalty was given twice: penalty={penalty!r} and {name}={value!r}. Leave "
                f"{name} at its default, {defaults[name]!r}, or penalty at None."
            )
