"""What the pictures show: lengths of bars, places of points, labels, colours."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import Bunch
from tolerances import arithmetic

from skgrad import LogisticRegression, Ridge
from skgrad.inspection import (
    AttributionDisplay,
    FeatureImportanceDisplay,
    MarginalEffectDisplay,
    attributions,
    average_marginal_effects,
    gradient_importance,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

from skgrad.inspection.displays._canvas import BLUE, GREY, ORANGE, axis_label  # noqa: E402
from skgrad.inspection.displays._swarm import HALF_HEIGHT, shades, swarm_heights  # noqa: E402

RTOL = arithmetic("float64")
LONG = "the price of everything in $ before taxes, adjusted for inflation"


@pytest.fixture(autouse=True)
def closed_figures():
    settings = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == settings


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 6)), columns=["a", LONG, "c", "d", "e", "f"])
    X["city"] = rng.choice(["Bonn", "Ulm"], 60)
    X.loc[3, "a"] = np.nan
    return X, (X["d"] - 2.0 * X["c"] + (X["city"] == "Ulm") > 0.5).to_numpy()


@pytest.fixture(scope="module")
def model(frame):
    numbers = [name for name in frame[0] if name != "city"]
    columns = make_column_transformer((SimpleImputer(), numbers), (OneHotEncoder(), ["city"]))
    return make_pipeline(columns, LogisticRegression()).fit(*frame)


def tick_labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def assert_nothing_is_cut(display):
    """Everything drawn lies within the figure, but for half a line's width."""
    display.figure_.canvas.draw()
    box, (width, height) = display.figure_.get_tightbbox(), display.figure_.get_size_inches()
    assert min(box.x0, box.y0) > -0.02
    assert box.x1 < width + 0.02
    assert box.y1 < height + 0.02


def test_bars_are_importances_from_the_largest_on(model, frame):
    display = FeatureImportanceDisplay.from_estimator(model, frame[0], max_features=None)
    result = gradient_importance(model, frame[0])
    order = np.argsort(-result.importances_mean)
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, result.importances_mean[order], rtol=RTOL)
    assert tick_labels(display.ax_)[0] == frame[0].columns[order[0]]
    assert display.ax_.yaxis_inverted()
    assert display.ax_.get_xlabel().lower().startswith(result.unit[:20])
    assert display.figure_ is display.ax_.figure
    assert_nothing_is_cut(display)


def test_error_bars_are_confidence_intervals_or_deviations(model, frame):
    result = gradient_importance(model, frame[0], response_method="predict_proba")
    order = np.argsort(-result.importances_mean)
    for kind, half in (
        ("confidence", 1.96 * result.standard_error),
        ("std", result["importances_std"]),
    ):
        ax = FeatureImportanceDisplay.from_result(result, error_bars=kind).ax_
        segments = np.array(ax.containers[1].lines[2][0].get_segments())
        drawn = (segments[:, 1, 0] - segments[:, 0, 0]) / 2.0
        np.testing.assert_allclose(drawn, half[order], rtol=1e-4, atol=1e-12)
    assert len(FeatureImportanceDisplay.from_result(result, error_bars=None).ax_.containers) == 1
    with pytest.raises(ValueError, match="error_bars"):
        FeatureImportanceDisplay.from_result(result, error_bars="both")


def test_smaller_importances_are_put_together(model, frame):
    result = gradient_importance(model, frame[0])
    display = FeatureImportanceDisplay.from_result(result, max_features=3)
    total = sum(bar.get_width() for bar in display.bars_)
    assert total == pytest.approx(result.importances_mean.sum(), rel=RTOL)
    assert tick_labels(display.ax_)[3] == "sum of 4 others"
    assert to_hex(display.bars_[3].get_facecolor()) == GREY.lower()
    # A line for a single other one would say less than its name.
    assert len(FeatureImportanceDisplay.from_result(result, max_features=6).bars_) == 7
    rms = gradient_importance(model, frame[0], aggregation="rms")
    last = FeatureImportanceDisplay.from_result(rms, max_features=3)
    assert tick_labels(last.ax_)[3] == "largest of 4 others"
    expected = np.sort(rms.importances_mean)[-4]
    assert last.bars_[3].get_width() == pytest.approx(expected, rel=RTOL)
    with pytest.raises(ValueError, match="max_features"):
        FeatureImportanceDisplay.from_result(result, max_features=0)


def test_signed_means_have_two_colors_and_categories_a_note(model, frame):
    display = FeatureImportanceDisplay.from_estimator(model, frame[0], aggregation="mean")
    colors = dict(zip(tick_labels(display.ax_), map(_color, display.bars_), strict=True))
    assert colors["c"] == BLUE.lower()
    assert colors["d"] == ORANGE.lower()
    assert tick_labels(display.ax_)[-1] == "city"
    assert [text.get_text().strip() for text in display.ax_.texts] == ["categories: no signed mean"]
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "raises", "lowers",
    ]  # fmt: skip


def _color(bar):
    return to_hex(bar.get_facecolor())


def test_long_names_and_dollar_signs(model, frame):
    display = FeatureImportanceDisplay.from_estimator(model, frame[0])
    name = next(name for name in tick_labels(display.ax_) if name.startswith("the price"))
    assert len(name) <= 32
    assert name.endswith("inflation")
    assert "\n" in axis_label("a unit that is told in so many words that it takes several lines")
    assert axis_label("price in $", "sic") == "Price in \\$\n(sic)"


def test_points_of_a_swarm_are_attributions(model, frame):
    result = attributions(model, frame[0])
    display = AttributionDisplay.from_result(result, max_features=3)
    order = np.argsort(-np.abs(result.attributions).mean(axis=0))
    points = [np.asarray(cloud.get_offsets()) for cloud in display.ax_.collections]
    assert len(points) == 4
    for line in range(3):
        np.testing.assert_allclose(points[line][:, 0], result.attributions[:, order[line]])
        assert np.abs(points[line][:, 1] - line).max() <= HALF_HEIGHT
    total = sum(cloud[:, 0] for cloud in points) + result.base_values
    np.testing.assert_allclose(total, model.decision_function(frame[0]), rtol=1e-9)
    assert tick_labels(display.ax_)[3] == "sum of 4 others"
    assert "grey" in display.ax_.get_xlabel()
    few = AttributionDisplay.from_result(result, max_rows=20)
    assert len(few.ax_.collections[0].get_offsets()) == 20
    assert_nothing_is_cut(display)


def test_colors_of_a_swarm_rise_with_the_value(frame):
    X, _ = frame
    rows = np.arange(len(X))
    shade = shades(X, rows, 2)
    np.testing.assert_array_equal(np.argsort(shade), np.argsort(X["c"].to_numpy()))
    assert (shade.min(), shade.max()) == (0.0, 1.0)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(shades(X, rows, 0))), [3])
    assert np.isnan(shades(X, rows, 6)).all()


def test_a_swarm_stacks_what_would_be_hidden():
    heights = swarm_heights(np.zeros(5))
    assert len(set(heights.tolist())) == 5
    np.testing.assert_array_equal(swarm_heights(np.arange(5.0)), np.zeros(5))


def test_a_heatmap_has_the_rows_in_the_order_of_the_response(model, frame):
    X, _ = frame
    result = attributions(model, X)
    display = AttributionDisplay.from_result(result, kind="heatmap", max_features=None)
    image = display.ax_.get_images()[0]
    order = np.argsort(-model.decision_function(X))
    columns = np.argsort(-np.abs(result.attributions).mean(axis=0))
    expected = result.attributions[np.ix_(order, columns)].T
    np.testing.assert_allclose(np.asarray(image.get_array()), expected)
    low, high = image.get_clim()
    assert low == -high < 0.0
    assert_nothing_is_cut(display)
    few = AttributionDisplay.from_result(result, kind="heatmap", max_rows=20).ax_.get_images()[0]
    assert few.get_array().shape[1] == 20


def test_several_targets_need_a_choice(frame):
    numbers = frame[0][["c", "d", "e"]]
    classes = np.digitize(numbers["c"], [-0.5, 0.5])
    result = attributions(LogisticRegression().fit(numbers, classes), numbers)
    with pytest.raises(ValueError, match="output=0"):
        AttributionDisplay.from_result(result)
    display = AttributionDisplay.from_result(result, output=2)
    first = np.asarray(display.ax_.collections[0].get_offsets())[:, 0]
    np.testing.assert_allclose(first, result.attributions[:, 0, 2])
    with pytest.raises(ValueError, match="kind"):
        AttributionDisplay.from_result(result, output=0, kind="violin")


def test_effects_are_points_with_intervals(frame):
    numbers = frame[0][["c", "d", "e"]]
    model = Ridge(alpha=1e-8).fit(numbers, numbers["c"] - 2.0 * numbers["d"])
    result = average_marginal_effects(model, numbers, vcov=np.eye(4))
    display = MarginalEffectDisplay.from_estimator(model, numbers, vcov=np.eye(4))
    points, _, (intervals,) = display.lines_[0].lines
    np.testing.assert_allclose(points.get_xdata(), [1.0, -2.0, 0.0], atol=1e-6)
    ends = np.array(intervals.get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, result.conf_int)
    assert tick_labels(display.ax_) == ["c", "d", "e"]
    assert_nothing_is_cut(display)
    largest = MarginalEffectDisplay.from_result(result, max_features=1, sort=True)
    assert tick_labels(largest.ax_) == ["d"]
    assert "2 smaller effects" in largest.ax_.get_xlabel()


def test_effects_on_several_classes_and_in_several_strata():
    effects = np.arange(6.0).reshape(2, 3)
    result = Bunch(
        effects=effects, conf_int=np.stack([effects - 1.0, effects + 1.0], axis=-1),
        feature_names=["a", "a"], strata=["city=Bonn", "city=Ulm"], targets=["x", "y", "z"],
        unit="change",
    )  # fmt: skip
    display = MarginalEffectDisplay.from_result(result)
    assert tick_labels(display.ax_) == ["a | city=Bonn", "a | city=Ulm"]
    for k, line in enumerate(display.lines_):
        np.testing.assert_array_equal(line.lines[0].get_xdata(), effects[:, k])
    places = [line.lines[0].get_ydata()[0] for line in display.lines_]
    assert sorted(places) == places
    assert len(set(places)) == 3
    legend = display.ax_.get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["x", "y", "z"]


@pytest.mark.parametrize("kind", ["importance", "beeswarm", "heatmap"])
def test_pictures_are_drawn_on_given_axes(kind, model, frame):
    figure, (left, right) = plt.subplots(ncols=2)
    if kind == "importance":
        display = FeatureImportanceDisplay.from_estimator(model, frame[0], ax=right)
    else:
        display = AttributionDisplay.from_estimator(model, frame[0], ax=right, kind=kind)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert not left.has_data()
    again = display.plot()
    assert again is display
    assert display.ax_ is not right


def test_matplotlib_is_imported_for_a_picture_only():
    script = """
import sys
sys.modules["matplotlib"] = None
import numpy as np
from skgrad import Ridge
from skgrad.inspection import FeatureImportanceDisplay
X = np.eye(3)
try:
    FeatureImportanceDisplay.from_estimator(Ridge().fit(X, X[0]), X)
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("FeatureImportanceDisplay requires matplotlib.")
