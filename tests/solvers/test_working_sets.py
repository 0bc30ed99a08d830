"""Working sets: every way to minimise a model on some columns ends at the minimum on all."""

from dataclasses import replace

import numpy as np
import pytest
from problems import (
    LINEAR_LOSSES,
    Variant,
    ill_scaled,
    make_loss,
    make_objective,
    orthogonal_lasso,
    sparse_rows,
)
from scipy import sparse
from sklearn.linear_model import ElasticNet as PeerElasticNet
from tolerances import arithmetic, coefficients, suboptimality

from skgrad import LinearRegression, LogisticRegression, columns, linalg
from skgrad.coordinate_penalty import CoordinatePenalty, Terms
from skgrad.losses import SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L1, ElasticNet, NonNegative
from skgrad.solvers import ProximalNewton, _quadratic, _working_set, choose_solver
from skgrad.solvers._column_quadratic import ColumnQuadraticModel
from skgrad.solvers._gram_descent import _newton_step, minimise_block
from skgrad.solvers._implicit_quadratic import ImplicitQuadraticModel
from skgrad.solvers._quadratic import QuadraticModel

SMOOTH = [name for name, loss in LINEAR_LOSSES.items() if loss.smooth]
PENALTIES = [L1(0.04), ElasticNet(0.08, 0.4), NonNegative(L1(0.02))]
MODELS = {
    "orthants": QuadraticModel,
    "semismooth": QuadraticModel,
    "gram": QuadraticModel,
    "conjugate gradients": ImplicitQuadraticModel,
    "columns": ColumnQuadraticModel,
}


def force(monkeypatch, engine):
    """Make small problems take the way of large ones."""
    monkeypatch.setattr(_working_set, "SMALL", 1)
    many = engine in ("gram", "columns")
    monkeypatch.setattr(columns, "COMPILED_SIZE", 0 if many else 10**9)
    monkeypatch.setattr(_quadratic, "SMALL", 1)
    if engine == "semismooth":
        monkeypatch.setattr(CoordinatePenalty, "terms", lambda self: None)
    # The smallest Gram matrix that is too large, and the smallest working set to be walked.
    explicit = 0 if engine == "conjugate gradients" else 10**9
    monkeypatch.setattr(_working_set, "LARGEST_EXPLICIT", explicit)
    monkeypatch.setattr(_working_set, "LARGEST_GRAM", 0 if engine == "columns" else 10**9)


def run(objective, tol):
    return ProximalNewton().run(objective, objective.start(), tol=tol, max_iter=500)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize(
    ("engine", "loss_name"),
    [
        (engine, name)
        for engine in MODELS
        for name in SMOOTH
        if not (engine == "columns" and LINEAR_LOSSES[name].coupled)  # they are not walked
    ],
)
def test_every_model_ends_at_the_minimum(engine, loss_name, penalty, monkeypatch):
    loss = make_loss(loss_name)
    case = SMOOTH.index(loss_name) + PENALTIES.index(penalty)
    variant = Variant(
        "csr", ("float64", "float32")[case % 2], ("none", "rows", "outputs")[case % 3],
        intercept=case % 4 > 0, n_outputs=1 + case % 2,
    )  # fmt: skip
    exact = make_objective(loss, penalty, replace(variant, dtype="float64"), n_features=12)
    best = run(exact, 1e-13).value
    force(monkeypatch, engine)
    made = []
    original = ProximalNewton._model
    monkeypatch.setattr(
        ProximalNewton, "_model", lambda *args: made.append(original(*args)) or made[-1]
    )
    objective = make_objective(loss, penalty, variant, n_features=12)
    tolerance = suboptimality(ProximalNewton(), variant.dtype)
    result = run(objective, 0.1 * tolerance)
    user = objective.to_user(result.w).astype(np.float64)
    excess = (exact.value(exact.from_user(user)) - best) / abs(best)
    assert -1e-9 <= excess <= tolerance
    assert result.w.dtype == variant.dtype
    assert {type(model) for model in made} == {MODELS[engine]}


@pytest.mark.parametrize("engine", ["gram", "conjugate gradients", "columns"])
def test_orthogonal_lasso(engine, rng, monkeypatch):
    X, y, coef = orthogonal_lasso(300, 120, 0.8, rng)
    force(monkeypatch, engine)
    X = sparse.csr_array(X) if engine == "columns" else X
    reg = LinearRegression(alpha=0.8, l1_ratio=1.0, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(reg.coef_, coef, atol=coefficients("float64"))
    assert 0 < (coef != 0).sum() < 120
    np.testing.assert_array_equal(reg.coef_ == 0, coef == 0)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.parametrize("layout", ["C", "F", "csr"])
def test_wide_data_as_scikit_learn(layout, l1_ratio, rng):
    X = sparse_rows(400, 3000, rng, density=0.1).toarray()
    y = X[:, :20] @ rng.normal(size=20) + rng.normal(size=400)
    weight = rng.integers(1, 4, size=400).astype(float)
    peer = PeerElasticNet(alpha=0.05, l1_ratio=l1_ratio, tol=1e-14, max_iter=100_000)
    peer.fit(X, y, sample_weight=weight)
    data = {"C": X, "F": np.asfortranarray(X), "csr": sparse.csr_array(X)}[layout]
    reg = LinearRegression(alpha=0.05, l1_ratio=l1_ratio, tol=1e-12)
    reg.fit(data, y, sample_weight=weight)
    scale = np.abs(peer.coef_).max()
    np.testing.assert_allclose(reg.coef_, peer.coef_, atol=coefficients("float64") * scale)
    np.testing.assert_allclose(reg.intercept_, peer.intercept_, atol=coefficients("float64"))
    assert isinstance(reg.solver_, ProximalNewton)


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("C", [0.1, 1.0])
def test_optimality_conditions_of_logistic_regression(layout, C, rng):
    X = ill_scaled(500, 400, rng)
    X = (X - X.mean(axis=0)) * (rng.random(X.shape) < 0.2) * np.logspace(3, -3, 400)
    y = (X[:, :10] @ rng.normal(size=10) + rng.logistic(size=500) > 0).astype(int)
    data = sparse.csr_array(X) if layout == "csr" else X
    clf = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-13).fit(data, y)
    slope = C * X.T @ (clf.predict_proba(data)[:, 1] - y)
    coef, tolerance = clf.coef_[0], coefficients("float64")
    used = coef != 0
    assert 0 < used.sum() < 400
    np.testing.assert_allclose(slope[used], -np.sign(coef[used]), atol=tolerance)
    assert np.abs(slope[~used]).max() <= 1 + tolerance
    assert abs((clf.predict_proba(data)[:, 1] - y).sum()) * C <= tolerance


@pytest.mark.parametrize("positive", [False, True])
def test_weights_repeat_rows_when_columns_are_walked(positive, rng, monkeypatch):
    force(monkeypatch, "columns")
    X = sparse_rows(200, 60, rng)
    Y = X[:, :5] @ rng.normal(size=(5, 2)) + rng.normal(size=(200, 2)) + 3.0
    times = rng.integers(0, 4, size=200)
    repeated = np.repeat(np.arange(200), times)
    reg = LinearRegression(alpha=0.05, l1_ratio=0.9, positive=positive, tol=1e-13)
    weighted = reg.fit(X, Y, sample_weight=times).coef_
    plain = reg.fit(X[repeated], Y[repeated]).coef_
    np.testing.assert_allclose(weighted, plain, atol=coefficients("float64"))
    assert (weighted >= 0).all() == positive


@pytest.mark.parametrize("loss_name", ["squared_error", "logistic"])
def test_gram_matrix_once_few_columns_are_left(loss_name, rng, monkeypatch):
    force(monkeypatch, "columns")
    monkeypatch.setattr(_working_set, "LARGEST_GRAM", 40)
    made = []
    original = ProximalNewton._model
    monkeypatch.setattr(
        ProximalNewton, "_model", lambda *args: made.append(original(*args)) or made[-1]
    )
    X = sparse_rows(400, 300, rng)
    raw = X[:, :3] @ np.array([3.0, -3.0, 3.0])[:, None] + rng.logistic(size=(400, 1))
    y = raw if loss_name == "squared_error" else (raw > 0).astype(float)
    penalty = L1(0.05 if loss_name == "squared_error" else 0.014)
    objective = Objective(LinearModel(300, 1, True), make_loss(loss_name), penalty, X, y)
    result = run(objective, 1e-9)
    kinds = [type(model) for model in made]
    assert kinds[0] is ColumnQuadraticModel
    if loss_name == "squared_error":
        assert kinds[-1] is QuadraticModel
        assert len(result.state.part.columns) <= 40 * _working_set.REUSED
    else:  # the Hessian is another one in each iteration
        assert set(kinds) == {ColumnQuadraticModel}
        assert np.count_nonzero(result.w) <= 40
    limit = suboptimality(ProximalNewton(), "float64")
    assert objective.certified_gap(result.w) <= limit * result.value


@pytest.mark.parametrize("engine", ["gram", "columns"])
def test_columns_that_are_nearly_of_use_are_taken_along(engine, rng, monkeypatch):
    force(monkeypatch, engine)
    X = sparse_rows(400, 300, rng)
    y = X[:, :3].sum(axis=1)[:, None] + rng.normal(size=(400, 1))
    model = LinearModel(300, 1, fit_intercept=True)
    objective = Objective(model, SquaredError(), L1(0.06), X, y)
    w = objective.start()
    _, gradient = objective.value_and_gradient(w)
    violating = objective.columns.violation(w, gradient) > 0.0
    near = objective.columns.violation(w, _working_set.NEAR * gradient) > 0.0
    assert violating.sum() < near.sum() < 0.3 * 300
    found = _working_set.working_set(objective, w, gradient, None)
    np.testing.assert_array_equal(found, np.flatnonzero(near))


def test_only_some_columns_enter_the_hessian(rng):
    X = rng.normal(size=(300, 1000))
    y = X[:, :5] @ np.ones(5) + rng.normal(size=300)
    model = LinearModel(1000, 1, fit_intercept=True)
    objective = Objective(model, SquaredError(), L1(0.2), X, y[:, None])
    result = run(objective, 1e-10)
    assert result.state.part.columns is not None
    assert len(result.state.part.columns) < 300
    assert result.state.hessian.shape[-1] == len(result.state.part.columns) + 1


def test_auto_picks_it_for_any_number_of_columns(rng):
    X, y = rng.normal(size=(20, 3000)), rng.normal(size=(20, 1))
    model = LinearModel(3000, 1, fit_intercept=True)
    assert isinstance(
        choose_solver(Objective(model, SquaredError(), L1(0.1), X, y)), ProximalNewton
    )


# What the objective offers


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("loss_name", SMOOTH)
def test_restricted_is_the_objective_with_zeros(loss_name, layout, copied, rng, monkeypatch):
    loss = make_loss(loss_name)
    if not copied:
        for module in (columns, linalg):
            monkeypatch.setattr(module, "is_small", lambda X: False)
        monkeypatch.setattr(columns, "LARGEST_COPY", 0.0)
    variant = Variant(layout, weights="rows", n_outputs=1 if loss.coupled else 2)
    objective = make_objective(loss, L1(0.1), variant, n_features=9)
    chosen = np.array([1, 4, 5, 8])
    part, places = objective.restrict(chosen)
    w = np.zeros(objective.n_params)
    w[places] = small = rng.normal(size=part.n_params) / 2
    value, gradient = objective.value_and_gradient(w)
    part_value, part_gradient = part.value_and_gradient(small)
    tolerance = {"rtol": arithmetic("float64"), "atol": arithmetic("float64")}
    np.testing.assert_allclose(part_value, value, **tolerance)
    np.testing.assert_allclose(part_gradient, gradient[places], **tolerance)
    np.testing.assert_allclose(part.value(small), objective.value(w), **tolerance)
    v = np.zeros_like(w)
    v[places] = direction = rng.normal(size=part.n_params)
    expected = objective.hess_vec(w, v)[places]
    np.testing.assert_allclose(part.hess_vec(small, direction), expected, **tolerance)
    product = part.linearise(small).hess_vec
    np.testing.assert_allclose(product(direction), expected, **tolerance)
    blocks = part.hessian(small)
    blocks = np.broadcast_to(blocks, (len(small) // blocks.shape[-1], *blocks.shape[1:]))
    by_blocks = np.einsum("bij,bj->bi", blocks, direction.reshape(len(blocks), -1)).ravel()
    np.testing.assert_allclose(by_blocks, expected, **tolerance)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("loss_name", SMOOTH)
def test_dual_bound_is_above_the_duality_gap_and_the_truth(loss_name, penalty, rng):
    loss = make_loss(loss_name)
    objective = make_objective(loss, penalty, Variant(weights="rows"))
    result = run(objective, 1e-14)
    rounding = 1e-13 * result.value
    checked = 0
    for size in (1e-4, 1e-3, 3e-3):
        near = result.w * (1 + size * rng.normal(size=len(result.w)))
        value, gradient = objective.value_and_gradient(near)
        bound = objective.columns.dual_bound(near, value, gradient)
        if np.isnan(bound):
            continue
        checked += 1
        assert bound >= objective.duality_gap(near) - rounding
        assert bound >= objective.value(near) - result.value - rounding
        if loss_name == "squared_error":
            np.testing.assert_allclose(bound, objective.duality_gap(near), rtol=1e-6)
    assert checked


@pytest.mark.parametrize("loss_name", ["squared_error", "logistic"])
@pytest.mark.parametrize("intercept", [False, True])
def test_a_gap_within_tol_is_a_proof(loss_name, intercept, monkeypatch):
    variant = Variant("csr", weights="rows", intercept=intercept)
    objective = make_objective(make_loss(loss_name), L1(0.02), variant, n_features=12)
    best = run(objective, 1e-14).value
    result = run(objective, 1e-6)
    if np.isnan(result.state.bound):  # the slope in the intercept is not zero yet
        assert intercept
        assert loss_name == "logistic"
        return
    assert result.value - best <= result.state.bound <= 1e-6 * result.value
    if loss_name == "squared_error":
        columns, gradient = objective.columns, result.state.gradient
        assert columns.dual_bound_is_proof(result.value, gradient)
        shifted = gradient + 1e-12 * (np.arange(len(result.w)) == len(result.w) - 1)
        assert columns.dual_bound_is_proof(result.value, shifted) == (not intercept)


def test_no_pass_for_a_proof_that_is_there(rng, monkeypatch):
    X = sparse_rows(300, 100, rng)
    y = X[:, :3].sum(axis=1) + rng.normal(size=300)
    monkeypatch.delattr(Objective, "certified_gap")
    reg = LinearRegression(alpha=0.05, l1_ratio=1.0, fit_intercept=False).fit(X, y)
    assert reg.gap_is_certified_
    assert reg.optimality_gap_ <= reg.tol


@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gram_of_selected_sparse_columns(dtype, intercept, weights, monkeypatch):
    for module in (columns, linalg):
        monkeypatch.setattr(module, "is_small", lambda X: False)
    monkeypatch.setattr(linalg, "COMPILED_SIZE", 0)
    monkeypatch.setattr(linalg, "COMPILED_ENTRIES", 0)
    n_outputs = 2 if weights == "outputs" else 1
    variant = Variant("csr", dtype, weights, intercept, n_outputs)
    sparse_one = make_objective(SquaredError(), L1(0.1), variant, n_features=9)
    dense = make_objective(SquaredError(), L1(0.1), replace(variant, layout="dense"), n_features=9)
    chosen = np.array([1, 4, 5, 8])
    part, places = sparse_one.restrict(chosen)
    found = part.hessian(np.zeros(part.n_params, dtype))
    unit, zero = np.eye(dense.n_params, dtype=dtype), np.zeros(dense.n_params, dtype)
    product = np.array([dense.hess_vec(zero, unit[place])[places] for place in places])
    size = len(places) // n_outputs
    assert found.shape == (n_outputs, size, size)
    assert found.dtype == dtype
    tolerance = {"rtol": arithmetic(dtype), "atol": arithmetic(dtype)}
    for k, block in enumerate(found):
        row = slice(k * size, (k + 1) * size)
        np.testing.assert_allclose(block, product[row, row], **tolerance)


# Inside


def test_slopes_vanish_where_coordinate_descent_would_have_stopped(rng):
    A = rng.normal(size=(60, 10))
    H, gradient = A.T @ A / 60, rng.normal(size=10)
    terms = Terms(np.full(10, 0.5), np.zeros(10), np.full(10, -np.inf))
    z = minimise_block(H, gradient, np.zeros(10), terms, accuracy=1e-3)
    free = z != 0.0
    slope = gradient + H @ z + terms.l1 * np.sign(z)
    assert 2 <= free.sum() < 10
    np.testing.assert_allclose(slope[free], 0.0, atol=arithmetic("float64"))


@pytest.mark.parametrize("penalty", [L1(1e-3), ElasticNet(1e-2, 0.1)], ids=repr)
@pytest.mark.parametrize("loss_name", ["squared_error", "logistic"])
@pytest.mark.parametrize("intercept", [False, True])
def test_walk_minimises_the_quadratic_model(intercept, loss_name, penalty, rng):
    variant = Variant("csr", weights="rows", intercept=intercept)
    objective = make_objective(make_loss(loss_name), penalty, variant, n_features=8)
    view = objective.columns
    w = rng.normal(size=objective.n_params) / 2
    _, gradient = objective.value_and_gradient(w)
    expected = QuadraticModel(objective, w, gradient, objective.hessian(w)).minimise(1e-26)
    assert expected.all()  # a walk leaves zeros alone after its first pass
    z, _, _ = view.walk(np.arange(8)).minimise(
        view.curvature_weights(view.raw(w)), gradient, w, view.penalty.terms(),
        forcing=0.0, accuracy=1e-28, max_epochs=5000,
    )  # fmt: skip
    np.testing.assert_allclose(z, expected, atol=coefficients("float64"))


@pytest.mark.parametrize("intercept", [False, True])
def test_raw_predictions_are_kept_up_to_date(intercept, rng):
    variant = Variant("csr", weights="outputs", intercept=intercept, n_outputs=2)
    objective = make_objective(make_loss("huber"), L1(0.01), variant, n_features=8)
    w = rng.normal(size=objective.n_params)
    value, gradient = objective.value_and_gradient(w)
    view = objective.columns
    raw = view.raw(w)
    z, raw_change, _ = view.walk(np.arange(8)).minimise(
        view.curvature_weights(raw), gradient, w, view.penalty.terms(),
        forcing=0.0, accuracy=0.0, max_epochs=3,
    )  # fmt: skip
    tolerance = {"rtol": arithmetic("float64"), "atol": arithmetic("float64")}
    np.testing.assert_allclose(raw + raw_change, view.raw(z), **tolerance)
    same_value, same_gradient = view.value_and_gradient(raw)
    np.testing.assert_allclose(same_value, value, **tolerance)
    np.testing.assert_allclose(same_gradient, gradient, **tolerance)


def test_newton_steps_on_a_face_decrease_and_keep_signs(rng):
    def value(z):
        return slope @ (z - old) + 0.5 * (z - old) @ H @ (z - old) + np.abs(z) @ terms.l1

    stopped = 0
    for _ in range(50):
        A = rng.normal(size=(20, 10))
        H, slope, old = A.T @ A, 2 * rng.normal(size=10), rng.normal(size=10)
        terms = Terms(np.ones(10), np.zeros(10), np.full(10, -np.inf))
        change = _newton_step(H, slope, old, terms, np.arange(10))
        assert (old * (old + change) >= 0.0).all()
        assert value(old + change) < value(old)
        crossed = (old + change) == 0.0
        stopped += crossed.any()
        if not crossed.any():
            residual = slope + H @ change + np.sign(old)
            np.testing.assert_allclose(residual, 0.0, atol=coefficients("float64"))
    assert 0 < stopped < 50
