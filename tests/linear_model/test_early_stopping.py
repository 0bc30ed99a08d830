"""Early stopping: the problem that the training rows pose."""

import numpy as np
import pytest

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(C=0.1), LinearSVC(C=0.1), LinearSVR(C=0.1), LinearRegression()]
)
def test_held_out_rows_leave_the_strength_of_the_penalty(estimator, rng, monkeypatch):
    """With C, a fit on the training rows is a fit to them alone, whatever was held out."""
    X = rng.normal(size=(100, 4))
    y = (X @ [1.0, -1.0, 0.5, 0.0] + rng.normal(size=100) > 0).astype(float)
    kept = {}

    def hold_out(self, problem, rng):
        kept["rows"] = np.arange(80)
        return problem.rows(np.arange(80)), problem.rows(np.arange(80, 100))

    monkeypatch.setattr(type(estimator), "_hold_out", hold_out)
    estimator.set_params(early_stopping=True, n_iter_no_change=100, tol=1e-12)
    stopped = estimator.fit(X, y)
    monkeypatch.undo()
    alone = type(estimator)(**{**estimator.get_params(), "early_stopping": False})
    alone.fit(X[:80], y[:80])
    validation = stopped.history_["validation_loss"]
    if validation.argmin() == len(validation) - 1:
        np.testing.assert_allclose(stopped.coef_, alone.coef_, rtol=1e-6)
    assert stopped.history_["loss"][-1] / alone.history_["loss"][-1] == pytest.approx(
        0.8 if "C" in estimator.get_params() else 1.0
    )
