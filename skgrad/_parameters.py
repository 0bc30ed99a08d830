"""Hyper-parameters of estimators, solvers, losses, penalties and schedules."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints


class Parameterized(BaseEstimator):
    """Object with hyper-parameters: get_params, set_params, clone and repr as in scikit-learn.

    A constructor stores its arguments as given; `validate` checks them against
    ``_parameter_constraints``.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Names of the constructor's arguments; inspecting the signature costs a tenth of a fit."""
        names: list[str] = super()._get_param_names()
        return names

    def validate(self) -> None:
        """Raise `InvalidParameterError`, a ValueError, if a parameter is out of range."""
        validate_parameter_constraints(
            self._parameter_constraints, self.get_params(deep=False), type(self).__name__
        )
