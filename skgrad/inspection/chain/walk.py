"""One walk through a fitted pipeline, which keeps what the way back needs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.chain.affine import probed
from skgrad.inspection.chain.columns import as_fitted, dense, numeric_columns, width
from skgrad.inspection.chain.differences import differenced, spans
from skgrad.inspection.chain.errors import FiniteDifferenceWarning, NonDifferentiableError
from skgrad.inspection.chain.local import SEVERAL, Leaf, Local
from skgrad.inspection.chain.rules import find_rule, from_jacobian

Response: TypeAlias = Literal[
    "raw", "decision_function", "predict_proba", "predict_log_proba", "predict"
]
Asked: TypeAlias = Response | Literal["transform"]
WIDEST = "widest"
Trail: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Walk:
    """The way from the input to the step at hand.

    Parameters
    ----------
    sources : ndarray of shape (n_in,)
        The original column that each column of the step's input depends on, or `SEVERAL`.
    names : ndarray of shape (n_original,)
        Names of the original columns.
    response : str
        What a predictor at the end of the way is asked for; "raw" is what its link is put behind,
        and "transform" is what the rules of transformers see.
    fallback : {"difference"} or None
        Whether differences may stand in for a derivative that does not exist or is not known.
    pins : mapping of trails to arrays, optional
        Outputs of the leaves to go on with instead of their own: a point on a path between two
        inputs. Then imputers are leaves as well, and leaves send nothing further back.
    trail : tuple of str
        Names of the steps on the way.
    leaves : dict of trails to Leaf
        Shared by all parts of the walk: the leaves met so far.
    memory : dict of trails to anything
        Shared by the walks over all chunks of the data: what the first one learnt about a step,
        and under `WIDEST` the largest number of columns on the way.
    """

    sources: IntArray
    names: Any
    response: Asked = "raw"
    fallback: Literal["difference"] | None = None
    pins: Mapping[Trail, Any] | None = None
    trail: Trail = ()
    leaves: dict[Trail, Leaf] = field(default_factory=dict)
    memory: dict[Any, Any] = field(default_factory=dict)

    def asking(self, response: Response) -> Walk:
        """Ask for another response."""
        return replace(self, response=response)

    def into(self, name: str, sources: IntArray | None = None) -> Walk:
        """Go into a part; its input has other columns if ``sources`` are given."""
        sources = self.sources if sources is None else sources
        return replace(self, trail=(*self.trail, name), sources=sources)

    def past(self, local: Local) -> IntArray:
        """Compute the sources of a step's outputs from those of its inputs."""
        if local.sources is None:
            return np.full(width(local.value), self.sources[0] if len(self.sources) == 1 else -1)
        return np.where(local.sources == SEVERAL, SEVERAL, self.sources[local.sources])

    def transform(self, step: Any, X: Any) -> Local:
        """Apply a fitted transformer, and remember how wide its output is."""
        local = self._transform(step, X)
        self.memory[WIDEST] = max(self.memory.get(WIDEST, 0), width(local.value))
        return local

    def _transform(self, step: Any, X: Any) -> Local:
        """Find its rule, or one of those that serve all."""
        if step is None or (isinstance(step, str) and step == "passthrough"):
            return Local(X, lambda cotangent: cotangent, np.arange(width(X)), affine=True)
        X, walk = as_fitted(step, X), replace(self, response="transform")
        rule = find_rule(step, transforms=True)
        if rule is not None:
            return rule(step, X, walk)
        if hasattr(step, "__sklearn_vjp__"):
            return Local(step.transform(X), lambda c: step.__sklearn_vjp__(X, c))
        return walk.probe(step, X, "has no rule for its derivative and is not affine")

    def probe(self, step: Any, X: Any, otherwise: str) -> Local:
        """Apply a transformer that is affine, as a trial tells; if not, ``otherwise`` says why."""
        if self.trail not in self.memory:
            self.memory[self.trail] = probed(step, X)
        found = self.memory[self.trail]
        value = None if found is None else step.transform(X)
        if found is None or not found.fits_data(step, X, value):
            return self.difference(step, X, otherwise)
        return from_jacobian(value, found.jacobian, missing=np.isnan(dense(X)))

    def respond(self, estimator: Any, X: Any) -> Local:
        """Apply a fitted predictor, or a pipeline that ends in one."""
        X = as_fitted(estimator, X)
        rule = find_rule(estimator)
        if rule is not None:
            return rule(estimator, X, self)
        if hasattr(estimator, "__sklearn_vjp__"):
            value = self.output(estimator, X)
            return Local(value, lambda c: estimator.__sklearn_vjp__(X, c))
        return self.difference(estimator, X, "has no rule for its derivative")

    def output(self, step: Any, X: Any) -> Any:
        """Compute what the step gives: `transform`, or the response that is asked for."""
        if self.response == "transform":
            return step.transform(X)
        raw = ("decision_function", "predict_proba", "predict")
        asked = raw if self.response == "raw" else (self.response,)
        found = next((name for name in asked if hasattr(step, name)), None)
        if found is None:
            self.refuse(step, f"has no method {self.response}")
        value: FloatArray = np.asarray(getattr(step, found)(X), dtype=np.float64)
        return value.reshape(len(value), -1)

    def leaf(self, step: Any, X: Any, owners: IntArray, n_in: int) -> Local:
        """End the chain: the outputs are variables, each owned by one column of the input.

        They are what the step makes of X, unless they are pinned: between two categories there is
        nothing to encode.
        """
        sources = np.where(owners == SEVERAL, SEVERAL, self.sources[owners])
        pins = self.pins or {}
        value = pins[self.trail] if self.trail in pins else step.transform(X)
        leaf = self.leaves[self.trail] = Leaf(step, value, sources)
        # A category has no derivative: NaN says so, where 0 would be a silent lie. On a path the
        # leaf carries all that there is.
        nothing = 0.0 if self.pins is not None else np.nan

        def pull(cotangent: FloatArray) -> FloatArray:
            leaf.cotangent = cotangent
            return np.full((len(cotangent), n_in), nothing)

        return Local(value, pull, owners, affine=True)

    def difference(self, step: Any, X: Any, reason: str) -> Local:
        """Stand differences in for a derivative where that is allowed; refuse otherwise."""
        if self.fallback != "difference":
            self.refuse(step, reason)
        if len(numeric_columns(X)) < width(X):
            self.refuse(step, reason + ", and its input is not numeric")
        widths = (*self.trail, "widths")
        if widths not in self.memory:
            self.memory[widths] = spans(X)
            warnings.warn(
                f"{type(step).__name__} {reason}: average slopes over half a standard deviation to"
                " both sides stand in for it.",
                FiniteDifferenceWarning,
                stacklevel=2,
            )
        return differenced(X, lambda at: self.output(step, at), self.memory[widths])

    def refuse(self, step: Any, reason: str) -> NoReturn:
        """Say which step has no derivative, for which columns, and what to do."""
        where = f" in step {'/'.join(self.trail)!r}" if self.trail else ""
        raise NonDifferentiableError(
            f"{type(step).__name__}{where} ({self.describe_columns()}) {reason}."
            ' Use fallback="difference" for average slopes over half a standard deviation to both'
            f" sides, register_jacobian({type(step).__name__}, ...) if you know its derivative, or"
            " sklearn.inspection.permutation_importance."
        )

    def describe_columns(self) -> str:
        """Name the original columns that reach the step."""
        if SEVERAL in self.sources:
            return "several columns"
        names = [str(self.names[j]) for j in dict.fromkeys(self.sources.tolist())]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        return f"column{'s' if len(names) > 1 else ''} {shown}"
