"""Hyper-parameters of estimators, solvers, losses, penalties and schedules."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from inspect import signature
from typing import Any, ClassVar, final

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints


class Parameterized(BaseEstimator):
    """Object with hyper-parameters: get_params, set_params, clone and repr as in scikit-learn.

    A constructor stores its arguments as given; `validate` checks them against the
    ``_parameter_constraints`` of the class and of its bases.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Names of the constructor's arguments; inspecting the signature costs a tenth of a fit."""
        names: list[str] = super()._get_param_names()
        return names

    @classmethod
    @cache
    def _defaults(cls) -> dict[str, Any]:
        parameters = signature(cls.__init__).parameters
        return {name: parameters[name].default for name in cls._get_param_names()}

    @classmethod
    @cache
    def _all_constraints(cls) -> dict[str, list[Any]]:
        constraints: dict[str, list[Any]] = {}
        for base in reversed(cls.__mro__):
            constraints |= vars(base).get("_parameter_constraints", {})
        return constraints

    @final
    def validate(self) -> None:
        """Raise `InvalidParameterError`, a ValueError, if a parameter is out of range.

        Parameters that are such objects themselves are checked too. Defaults are known to be valid
        (a test checks them): with small data, to check them again would cost a tenth of a fit.
        """
        given = {
            name: value
            for name, default in self._defaults().items()
            if (value := getattr(self, name)) is not default
        }
        if given:
            validate_parameter_constraints(self._all_constraints(), given, type(self).__name__)
            self._check_values()
        for value in given.values():
            if isinstance(value, Parameterized):
                value.validate()

    def _check_values(self) -> None:
        """Raise a ValueError for what constraints cannot express, such as an order of numbers."""
        return

    def _validate_params(self) -> None:
        """Take the place of scikit-learn's own method, which `fit` calls."""
        self.validate()


def plug_in(group: str, name: object) -> type | None:
    """Load the class that another package registers under a name, by an entry point.

    Parameters
    ----------
    group : str
        "skgrad.solvers" or "skgrad.losses".
    name : object
        What the user gave.

    Returns
    -------
    type or None
        None if no package registers that name.
    """
    if not isinstance(name, str):
        return None
    found: type | None = next(
        (entry.load() for entry in entry_points(group=group, name=name)), None
    )
    return found


def unknown_name(kind: str, name: object, known: Iterable[str], instead: str) -> ValueError:
    """Build the error for a name that is not registered, with the closest one that is.

    Parameters
    ----------
    kind : str
        What the name is of, such as "solver".
    name : object
        What was given.
    known : iterable of str
        Registered names.
    instead : str
        What may be given instead of a name.

    Examples
    --------
    >>> from skgrad._parameters import unknown_name
    >>> print(unknown_name("solver", "Adan", ["adam", "sgd"], "a Solver object"))
    Unknown solver 'Adan'. Did you mean 'adam'? Give a Solver object or one of these names:
    'adam', 'sgd'.
    """
    known = sorted(known)
    close = get_close_matches(str(name).lower(), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(
        f"Unknown {kind} {name!r}.{hint} Give {instead} or one of these names: "
        f"{', '.join(map(repr, known))}."
    )
