"""Solvers side by side: every one that can, the same minimum, reasons for the others."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgrad import LinearSVC, LogisticRegression
from skgrad.inspection import SolverComparisonDisplay, compare_solvers
from skgrad.solvers import LBFGS, SOLVERS


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def table(cancer):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    return compare_solvers(model, *cancer, sample_weight=np.linspace(0.5, 2.0, 569))


def test_every_solver_runs_or_says_why_not(table):
    refused = table.attrs["refused"]
    assert set(table["solver"]) | set(refused) == set(SOLVERS)
    assert not set(table["solver"]) & set(refused)
    assert "network of layers" in refused["natural_gradient"]


def test_all_end_at_the_same_minimum(table):
    last = table.groupby("solver").last()
    for name, row in last.iterrows():
        assert row["suboptimality"] <= SOLVERS[name].acceptable_gap, name
    assert table["suboptimality"].min() >= 0.0


def test_rows_are_iterations_in_order(table):
    for _, rows in table.groupby("solver"):
        assert rows["n_iter"].tolist() == list(range(1, len(rows) + 1))
        assert (np.diff(rows["passes"]) > 0.0).all()
        assert (np.diff(rows["seconds"]) >= 0.0).all()


def test_weights_are_part_of_the_problem(cancer):
    weight = np.where(cancer[1] == 1, 3.0, 1.0)
    model = LogisticRegression()
    one = compare_solvers(model, *cancer, solvers=["newton"], sample_weight=weight)
    fitted = LogisticRegression(solver="newton", tol=1e-6).fit(*cancer, sample_weight=weight)
    assert one["passes"].iloc[-1] == fitted.history_["passes"][-1]


def test_objects_and_labels(cancer):
    model = LogisticRegression()
    table = compare_solvers(model, *cancer, solvers={"short": LBFGS(3), "long": LBFGS(30)})
    assert set(table["solver"]) == {"short", "long"}
    table = compare_solvers(model, *cancer, solvers=[LBFGS(3)])
    assert set(table["solver"]) == {"LBFGS(memory=3)"}
    assert model.get_params()["solver"] == "auto"


def test_what_cannot_be_compared_is_said(cancer):
    with pytest.raises(ValueError, match="estimator of skgrad, got RandomForest"):
        compare_solvers(RandomForestClassifier(), *cancer)
    with pytest.raises(ValueError, match=r"No solver can minimise.*Newton needs a smooth loss"):
        compare_solvers(LinearSVC(loss="hinge"), *cancer, solvers=["newton"])


def test_display_draws_a_line_for_each_solver(table):
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt

    display = SolverComparisonDisplay.from_result(table)
    names = list(dict.fromkeys(table["solver"]))
    assert list(display.lines_) == names
    for name, column, side in [(names[0], "passes", 0), (names[-1], "seconds", 1)]:
        line = display.lines_[name][side]
        np.testing.assert_array_equal(line.get_xdata(), table[table["solver"] == name][column])
        assert line.axes is display.axes_[side]
    assert display.axes_[0].get_yscale() == "log"
    _, axes = plt.subplots(1, 2)
    assert display.plot(axes).axes_[0] is axes[0]
    with pytest.raises(ValueError, match="a pair of Axes"):
        display.plot(axes[0])
    plt.close("all")
