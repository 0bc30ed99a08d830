"""Marginal effects as points with intervals."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skgrad.inspection.displays._canvas import (
    GREY,
    MARKERS,
    PALETTE,
    axis_label,
    largest,
    literal,
    name_lines,
    new_axes,
)
from skgrad.inspection.effects import average_marginal_effects


class MarginalEffectDisplay:
    """Average marginal effects, with their confidence intervals.

    Points, not bars: zero is nothing to start from, only what an effect is compared with. Build it
    with `from_estimator` or `from_result`, which draw it as well; `plot` draws it again.

    Parameters
    ----------
    result : Bunch
        What `average_marginal_effects` returned.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure that they belong to.
    lines_ : list of matplotlib ErrorbarContainer
        Points and intervals, for each class or output.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import MarginalEffectDisplay
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X = X[["mean radius", "mean texture", "mean smoothness"]]
    >>> model = LogisticRegression().fit(X, y)
    >>> display = MarginalEffectDisplay.from_estimator(model, X)  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(self, result: Any) -> None:
        self.result = result

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None,
        max_features: int | None = None, sort: bool = False, **options: Any,
    ) -> Self:  # fmt: skip
        """Compute average marginal effects, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
            Rows to average over.
        y : array of shape (n_samples,), default=None
            Targets, for the standard errors that need them.
        ax, max_features, sort
            As in `plot`.
        **options : dict
            Further arguments of `average_marginal_effects`.

        Returns
        -------
        MarginalEffectDisplay
        """
        result = average_marginal_effects(estimator, X, y, **options)
        return cls.from_result(result, ax=ax, max_features=max_features, sort=sort)

    @classmethod
    def from_result(
        cls, result: Any, *, ax: Any = None, max_features: int | None = None, sort: bool = False
    ) -> Self:
        """Draw effects that are known already.

        Parameters
        ----------
        result : Bunch
            What `average_marginal_effects` returned.
        ax, max_features, sort
            As in `plot`.

        Returns
        -------
        MarginalEffectDisplay
        """
        return cls(result).plot(ax, max_features=max_features, sort=sort)

    def plot(self, ax: Any = None, *, max_features: int | None = None, sort: bool = False) -> Self:
        """Draw points and intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        max_features : int or None, default=None
            Effects to draw, the largest; None for all. Effects do not add up: the others are left
            out, and their number is told.
        sort : bool, default=False
            Whether to put the largest on top, instead of keeping the order of the columns.

        Returns
        -------
        MarginalEffectDisplay
        """
        effects = np.asarray(self.result.effects, dtype=np.float64)
        intervals = np.asarray(self.result.conf_int, dtype=np.float64)
        n_effects = len(effects)
        effects, intervals = effects.reshape(n_effects, -1), intervals.reshape(n_effects, -1, 2)
        shown, others = largest(np.abs(effects).max(axis=1), max_features)
        shown = shown if sort else np.sort(shown)
        n_targets = effects.shape[1]
        ax = new_axes(type(self).__name__, ax, len(shown) * max(1, (n_targets + 1) // 2))
        self.lines_ = []
        for k in range(n_targets):
            place = np.arange(len(shown)) + 0.6 * ((k + 0.5) / n_targets - 0.5)
            here, ends = effects[shown, k], intervals[shown, k]
            self.lines_.append(
                ax.errorbar(
                    here, place, xerr=np.abs(ends.T - here), fmt=MARKERS[k % len(MARKERS)],
                    color=PALETTE[k % len(PALETTE)], markersize=5.0, elinewidth=1.4, capsize=2.5,
                    label=literal(str(self.result.targets[k])) if n_targets > 1 else None,
                )
            )  # fmt: skip
        names = self._names()
        self._label(ax, [names[j] for j in shown], len(others))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _names(self) -> list[str]:
        """Name the effects, where there are several kinds of rows by those, too."""
        names = [str(name) for name in self.result.feature_names]
        strata = self.result.get("strata", [""] * len(names))
        return [
            f"{name} | {stratum}" if stratum else name
            for name, stratum in zip(names, strata, strict=True)
        ]

    def _label(self, ax: Any, names: list[Any], n_others: int) -> None:
        ax.axvline(0.0, color=GREY, linewidth=1.0, zorder=0)
        name_lines(ax, names)
        ax.grid(axis="y", color="#e6e6e6", zorder=-1)
        ax.set_axisbelow(True)
        level = self.result.get("confidence_level", 0.95)
        note = f"lines: {100 * level:g} % confidence intervals"
        if n_others:
            note += f"; {n_others} smaller effects are not shown"
        ax.set_xlabel(axis_label(self.result.unit, note))
        if len(self.lines_) > 1:
            ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
