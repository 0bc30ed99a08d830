"""Attributions row by row: a swarm of points for each feature, or a heatmap."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.attribution import attributions
from skgrad.inspection.displays._canvas import (
    DIVERGING,
    GREY,
    SEQUENTIAL,
    axis_label,
    largest,
    name_lines,
    new_axes,
)
from skgrad.inspection.displays._swarm import shades, swarm_heights

# Colours of a heatmap span all but the most extreme values, which would leave the rest white.
COLORED_SHARE = 0.99


class AttributionDisplay:
    """What each feature does to the response, row by row.

    A beeswarm has a point for each row, coloured by the value of the feature: a feature that raises
    the response where it is high has bright points to the right. A heatmap has a column for each
    row, in the order of the response. Build it with `from_estimator` or `from_result`, which draw
    it as well; `plot` draws it again.

    Parameters
    ----------
    result : Bunch
        What `attributions` returned.
    output : int, default=None
        Which of several classes or outputs; needed where there are several.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure that they belong to.
    colorbar_ : matplotlib Colorbar
        Of the values of features, or of attributions.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import AttributionDisplay
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> display = AttributionDisplay.from_estimator(model, X)  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any
    colorbar_: Any

    def __init__(self, result: Any, output: int | None = None) -> None:
        self.result, self.output = result, output

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None,
        kind: Literal["beeswarm", "heatmap"] = "beeswarm", max_features: int | None = 15,
        max_rows: int = 1000, **options: Any,
    ) -> Self:  # fmt: skip
        """Compute attributions, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
            The rows to explain.
        y : array of shape (n_samples,), default=None
            Targets; ``method="loss"`` needs them.
        ax, kind, max_features, max_rows
            As in `plot`.
        **options : dict
            Further arguments of `attributions`: of several classes, choose one by ``target``.

        Returns
        -------
        AttributionDisplay
        """
        result = attributions(estimator, X, y, **options)
        return cls.from_result(
            result, ax=ax, kind=kind, max_features=max_features, max_rows=max_rows
        )

    @classmethod
    def from_result(
        cls, result: Any, *, output: int | None = None, ax: Any = None,
        kind: Literal["beeswarm", "heatmap"] = "beeswarm", max_features: int | None = 15,
        max_rows: int = 1000,
    ) -> Self:  # fmt: skip
        """Draw attributions that are known already.

        Parameters
        ----------
        result : Bunch
            What `attributions` returned.
        output : int, default=None
            Which of several classes or outputs.
        ax, kind, max_features, max_rows
            As in `plot`.

        Returns
        -------
        AttributionDisplay
        """
        display = cls(result, output)
        return display.plot(ax, kind=kind, max_features=max_features, max_rows=max_rows)

    def plot(
        self, ax: Any = None, *, kind: Literal["beeswarm", "heatmap"] = "beeswarm",
        max_features: int | None = 15, max_rows: int = 1000,
    ) -> Self:  # fmt: skip
        """Draw one of the two pictures.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        kind : {"beeswarm", "heatmap"}, default="beeswarm"
            Points, or colours.
        max_features : int or None, default=15
            Features to draw, those with the largest mean sizes. All others are summed in one more
            line, with their signs.
        max_rows : int, default=1000
            More rows than this are not told apart: evenly spaced ones are drawn.

        Returns
        -------
        AttributionDisplay
        """
        if kind not in ("beeswarm", "heatmap"):
            raise ValueError(f'kind must be "beeswarm" or "heatmap", got {kind!r}.')
        values = self._values()
        shown, others = largest(np.abs(values).mean(axis=0), max_features)
        columns, labels = values[:, shown], [self.result.feature_names[j] for j in shown]
        if len(others):
            columns = np.column_stack([columns, values[:, others].sum(axis=1)])
            labels.append(f"sum of {len(others)} others")
        ax = new_axes(type(self).__name__, ax, len(labels))
        if kind == "beeswarm":
            rows = np.arange(0, len(values), -(-len(values) // max_rows))
            self._swarm(ax, columns, shown, rows)
        else:
            self._heatmap(ax, columns, max_rows)
        name_lines(ax, labels)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _values(self) -> FloatArray:
        values = np.asarray(self.result.attributions)
        if values.ndim == 2:
            return values
        if self.output is None:
            raise ValueError(
                f"There are attributions for several targets, {self.result.targets}. Choose one:"
                " from_result(result, output=0), or from_estimator(..., target=...)."
            )
        return values[:, :, self.output]

    def _swarm(self, ax: Any, columns: FloatArray, shown: IntArray, rows: IntArray) -> None:
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable

        colors = colormaps[SEQUENTIAL].with_extremes(bad=GREY)
        ax.axvline(0.0, color="#cccccc", linewidth=1.0, zorder=0)
        unknown = False
        for line, values in enumerate(columns[rows].T):
            shade = np.full(len(rows), np.nan)
            if line < len(shown):
                shade = shades(self.result.data, rows, int(shown[line]))
            unknown |= bool(np.isnan(shade).any())
            ax.scatter(
                values, line + swarm_heights(values), color=colors(np.ma.masked_invalid(shade)),
                s=9.0, linewidths=0.0, rasterized=True,
            )  # fmt: skip
        bar = self.colorbar_ = ax.figure.colorbar(ScalarMappable(cmap=colors), ax=ax, aspect=40)
        bar.set_ticks([0.0, 1.0], labels=["low", "high"])
        bar.outline.set_visible(False)
        bar.set_label("Value")
        note = "colour: value of the feature; grey: missing, or without order"
        ax.set_xlabel(axis_label(self.result.unit, note if unknown else ""))

    def _heatmap(self, ax: Any, columns: FloatArray, max_rows: int) -> None:
        total = columns.sum(axis=1)
        order = np.argsort(-total, kind="stable")[:: -(-len(total) // max_rows)]
        limit = float(np.quantile(np.abs(columns), COLORED_SHARE)) or float(np.abs(columns).max())
        limit = limit or 1.0
        image = ax.imshow(
            columns[order].T, aspect="auto", interpolation="nearest", cmap=DIVERGING,
            vmin=-limit, vmax=limit,
        )  # fmt: skip
        ends = "both" if limit < float(np.abs(columns).max()) else "neither"
        bar = self.colorbar_ = ax.figure.colorbar(image, ax=ax, aspect=40, extend=ends)
        bar.outline.set_visible(False)
        by = "response" if self.result.base_values is not None else "sum"
        ax.set_xlabel(axis_label(f"rows, by their {by}", f"colour: {self.result.unit}"))
