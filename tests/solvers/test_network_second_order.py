"""Newton-CG (Hessian-free) and the natural gradient on networks."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from tolerances import ARITHMETIC, COEFFICIENTS, SUBOPTIMALITY, arithmetic

from skgrad import LinearRegression
from skgrad.losses import Huber, Logistic, Multinomial, Poisson, SquaredError
from skgrad.models.network import Network, get_activation, get_normalization
from skgrad.network_objective import NetworkObjective
from skgrad.neural_network import MLPClassifier, MLPRegressor
from skgrad.penalties import L1, L2, NoPenalty
from skgrad.schedules import Cosine, Exponential
from skgrad.solvers import (
    Adam,
    IncompatibleSolverError,
    NaturalGradient,
    NewtonCG,
    Status,
    _hessian_free,
)
from skgrad.solvers._batch_model import BatchModel, ModelStep

N, P = 80, 5
KINDS = [NewtonCG(), NaturalGradient(batch_size=20), NaturalGradient(0.05, batch_size=20)]


def build(loss=None, n_outputs=1, penalty=None, *, activation="tanh", hidden=(8, 8), n=N,
          weight=None, layout="dense", dtype="float64", **network_options):  # fmt: skip
    rng, loss = np.random.default_rng(0), loss or SquaredError()
    X = rng.normal(size=(n, P)).astype(dtype)
    raw = np.sin(2 * X[:, :1]) + X @ rng.normal(size=(P, n_outputs)) + rng.normal(size=(n, 1)) / 4
    y = {
        "class_index": lambda: raw.argmax(axis=1),
        "binary01": lambda: (raw > 0).astype(dtype),
        "continuous": lambda: (np.maximum(raw, 0) if loss.name == "poisson" else raw).astype(dtype),
    }[loss.target]()
    network_options["normalization"] = get_normalization(network_options.get("normalization"))
    activations = tuple(get_activation(activation) for _ in hidden)
    network = Network((P, *hidden, n_outputs), activations, **network_options)
    return NetworkObjective(
        network, loss, penalty or L2(1e-3), sparse.csr_array(X) if layout == "csr" else X, y,
        weight, dtype=dtype,
    )  # fmt: skip


def start(objective):
    w = 0.4 * np.random.default_rng(1).normal(size=objective.n_params)
    return w.astype(objective.dtype)


def run(solver, objective, w=None, **options):
    w = start(objective) if w is None else w
    options = {"tol": 0.0, "max_iter": 8, "rng": np.random.default_rng(2), **options}
    return solver.run(objective, w, **options)


every_kind = pytest.mark.parametrize("solver", KINDS, ids=repr)


# What holds for both


@every_kind
@pytest.mark.parametrize("loss", [SquaredError(), Huber(), Logistic(), Multinomial(), Poisson()])
def test_the_objective_falls_on_every_smooth_loss(solver, loss):
    objective = build(loss, 3 if loss.coupled else 1)
    result = run(solver, objective)
    assert objective.value(result.w) < 0.7 * objective.value(start(objective))


@every_kind
@pytest.mark.parametrize(
    "options",
    [
        {"normalization": "batch"},
        {"normalization": "layer", "residual": True},
        {"input_scale": True, "layout": "csr"},
        {"activation": "relu", "dtype": "float32"},
        {"weight": np.random.default_rng(0).uniform(0.0, 3.0, size=(N, 1))},
    ],
    ids=str,
)
def test_the_objective_falls_on_every_kind_of_network(solver, options):
    objective = build(Multinomial(), 3, **options)
    w = start(objective)
    result = run(solver, objective, w)
    assert result.w.dtype == objective.dtype
    assert objective.value(result.w) < 0.7 * objective.value(w)


@every_kind
def test_dropout_changes_no_value_that_is_reported_as_final(solver):
    objective = build(Multinomial(), 3, dropout=0.2)
    result = run(solver, objective, max_iter=15)
    assert objective.value(result.w) < 0.8 * objective.value(start(objective))


@every_kind
def test_a_run_changes_neither_solver_nor_start(solver):
    objective, attributes = build(), dict(vars(solver))
    w = start(objective)
    run(solver, objective, w)
    assert vars(solver) == attributes
    np.testing.assert_array_equal(w, start(objective))


@every_kind
def test_continuing_from_a_state_is_one_long_run(solver):
    objective = build(Multinomial(), 3)
    whole = run(solver, objective, max_iter=5)
    rng = np.random.default_rng(2)
    first = run(solver, objective, max_iter=2, rng=rng, horizon=5)
    kept = pickle.dumps(first.state)
    second = run(
        solver, objective, first.w, max_iter=3, rng=rng, horizon=5, state=pickle.loads(kept)
    )
    np.testing.assert_allclose(second.w, whole.w, rtol=1e-9, atol=1e-12)
    assert pickle.dumps(first.state) == kept


@every_kind
def test_a_kinked_penalty_is_refused(solver):
    objective = build(penalty=L1(0.1))
    with pytest.raises(IncompatibleSolverError, match="needs a smooth penalty; the L1 penalty"):
        run(solver, objective)


# Newton-CG


def test_newton_cg_never_rises_and_damping_adapts():
    objective = build(Multinomial(), 3)
    result = run(NewtonCG(), objective, max_iter=30)
    loss = result.history["loss"]
    assert (np.diff(loss) <= 0).all()
    assert result.value == pytest.approx(objective.value(result.w), rel=1e-12)
    first = _hessian_free.start(objective, start(objective), 0.01).damping
    assert result.state.damping < 0.5 * first


@pytest.mark.parametrize("hidden", [(6,), (6, 7)])
def test_an_identity_network_reaches_the_linear_minimum(hidden):
    """Products of wide enough layers are all linear maps."""
    objective = build(n_outputs=2, penalty=NoPenalty(), activation="identity", hidden=hidden)
    result = run(NewtonCG(), objective, max_iter=100)
    linear = LinearRegression(tol=1e-12).fit(objective.X, objective.y)
    residuals = objective.y - linear.predict(objective.X)
    best = 0.5 * np.sum(residuals**2) / N
    assert result.value == pytest.approx(best, rel=SUBOPTIMALITY["float64", "second"])


def test_a_stationary_point_is_one_of_the_gradient():
    objective = build(penalty=L2(0.01))
    result = run(NewtonCG(), objective, max_iter=200)
    _, gradient = objective.value_and_gradient(result.w)
    _, first = objective.value_and_gradient(start(objective))
    assert np.abs(gradient).max() < COEFFICIENTS["float64"] * np.abs(first).max()


def test_newton_cg_weights_are_repeated_rows():
    counts = np.arange(N) % 3
    weighted = build(weight=counts[:, None].astype(float))
    repeated = NetworkObjective(
        weighted.network, weighted.loss, weighted.penalty,
        np.repeat(weighted.X, counts, axis=0), np.repeat(weighted.y, counts, axis=0),
    )  # fmt: skip
    np.testing.assert_allclose(
        run(NewtonCG(), weighted, max_iter=4).w, run(NewtonCG(), repeated, max_iter=4).w, rtol=1e-6
    )


def test_parameters_of_newton_cg_matter():
    objective = build(Multinomial(), 3)
    usual = run(NewtonCG(), objective, max_iter=3)
    short = run(NewtonCG(max_inner=2), objective, max_iter=3)
    assert short.history["passes"][-1] < 0.7 * usual.history["passes"][-1]
    cautious = run(NewtonCG(damping=1e4), objective, max_iter=1)
    moved, far = cautious.w - start(objective), usual.w - start(objective)
    assert np.linalg.norm(moved) < 0.1 * np.linalg.norm(far)
    half = run(NewtonCG(learning_rate=0.5), objective, max_iter=1)
    assert half.history["step_size"][0] == 0.5


def test_newton_cg_ends_where_no_step_decreases():
    objective = build(penalty=L2(0.1), hidden=(3,))
    result = run(NewtonCG(), objective, max_iter=2000)
    assert result.status is Status.PRECISION
    assert result.n_iter < 2000


@pytest.mark.parametrize(
    ("actual", "predicted", "factor"),
    [
        (-0.9, -1.0, 0.5),
        (-0.5, -1.0, 1.0),
        (-0.1, -1.0, 2.0),
        (0.3, -1.0, 2.0),
        (np.nan, -1.0, 2.0),
    ],
)
def test_damping_follows_the_ratio_of_decreases(actual, predicted, factor):
    assert _hessian_free.adapted(3.0, actual, predicted) == 3.0 * factor


def test_conjugate_gradients_minimise_from_any_start(rng):
    Q, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    B, g = (Q * np.logspace(0, 2, 8)) @ Q.T, rng.normal(size=8)
    solution = -np.linalg.solve(B, g)
    for x in [np.zeros(8), 0.9 * solution, 100.0 * solution]:
        found = _hessian_free.minimise(B.__matmul__, np.copy, g, x, 100)
        np.testing.assert_allclose(found.x, solution, rtol=1e-2, atol=1e-3)
        value = float(g @ found.x + 0.5 * found.x @ B @ found.x)
        assert found.value == pytest.approx(value, rel=1e-10)
    exact = _hessian_free.minimise(B.__matmul__, np.linalg.inv(B).__matmul__, g, np.zeros(8), 1)
    np.testing.assert_allclose(exact.x, solution, rtol=1e-9)


# The natural gradient


def dense_fisher(objective):
    """Fisher information of a single layer with squared error, in the order of the parameters."""
    A = np.hstack([objective.X, np.ones((objective.n_samples, 1))])
    weight = np.full(len(A), 1.0 / len(A)) if objective.weight is None else objective.weight[:, 0]
    return (A * weight[:, None]).T @ A


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_one_layer_and_all_rows_make_the_exact_natural_gradient(weighted, damping):
    """For squared error the Fisher information is a Kronecker product, with one factor 1."""
    weight = np.random.default_rng(3).uniform(0.5, 2.0, size=(N, 1)) if weighted else None
    objective = build(penalty=NoPenalty(), hidden=(), weight=weight)
    w = start(objective)
    solver = NaturalGradient(0.3, batch_size=N, damping=damping, kl_clip=1e9, momentum=0.0)
    result = run(solver, objective, w, max_iter=1)
    _, gradient = objective.value_and_gradient(w)
    fisher = dense_fisher(objective) + damping * np.eye(w.size)
    expected = w - 0.3 * np.linalg.solve(fisher, gradient)
    np.testing.assert_allclose(result.w, expected, rtol=1e-9)


@pytest.mark.parametrize("loss", [Logistic(), Poisson()])
def test_one_row_makes_the_exact_natural_gradient(loss):
    """For a single row the information of a layer is a Kronecker product, whatever the loss."""
    objective = build(loss, penalty=NoPenalty(), hidden=(), n=1)
    w = start(objective)
    solver = NaturalGradient(0.3, batch_size=1, damping=0.1, kl_clip=1e9, momentum=0.0)
    result = run(solver, objective, w, max_iter=1)
    _, gradient = objective.value_and_gradient(w)
    raw = objective.network.predict(w, objective.X)
    fisher = float(loss.curvature(objective.y, raw)[0, 0]) * dense_fisher(objective)
    expected = w - 0.3 * np.linalg.solve(fisher + 0.1 * np.eye(w.size), gradient)
    np.testing.assert_allclose(result.w, expected, rtol=1e-9)


def test_the_automatic_step_solves_least_squares_at_once():
    objective = build(penalty=NoPenalty(), hidden=())
    result = run(NaturalGradient(batch_size=N, damping=1e-10), objective, max_iter=1)
    linear = LinearRegression(tol=1e-12).fit(objective.X, objective.y)
    np.testing.assert_allclose(result.w[:-1], linear.coef_.ravel(), rtol=1e-6)
    assert result.history["step_size"][0] == pytest.approx(1.0, rel=1e-6)


def test_the_ridge_penalty_is_in_the_curvature():
    """Without biases to speak of, one step solves ridge regression."""
    objective = build(penalty=L2(0.5), hidden=())
    objective.X = objective.X - objective.X.mean(axis=0)
    result = run(NaturalGradient(batch_size=N, damping=1e-10), objective, max_iter=20)
    A = objective.X.T @ objective.X / N + 0.5 * np.eye(P)
    expected = np.linalg.solve(A, objective.X.T @ objective.y[:, 0] / N)
    np.testing.assert_allclose(result.w[:-1], expected, rtol=1e-6)


def test_clipping_bounds_the_divergence_of_a_step():
    objective = build(penalty=NoPenalty(), hidden=())
    w = start(objective)
    for clip in [1e-4, 1e-2]:
        solver = NaturalGradient(1.0, batch_size=N, damping=1e-6, kl_clip=clip, momentum=0.0)
        result = run(solver, objective, w, max_iter=1)
        step = result.w - w
        assert float(step @ dense_fisher(objective) @ step) == pytest.approx(clip, rel=1e-3)


def test_momentum_adds_the_last_step():
    objective = build(penalty=NoPenalty(), hidden=())
    options = {"batch_size": N, "damping": 0.1, "kl_clip": 1e9, "decay": 0.0, "update_every": 1}
    plain, heavy = (
        [
            run(NaturalGradient(0.3, momentum=beta, **options), objective, max_iter=k).w
            for k in (1, 2)
        ]
        for beta in (0.0, 0.5)
    )
    np.testing.assert_array_equal(plain[0], heavy[0])
    np.testing.assert_allclose(
        heavy[1] - plain[1], 0.5 * (plain[0] - start(objective)), rtol=1e-9, atol=1e-12
    )


def test_factors_are_averaged_and_kept_between_updates():
    objective = build(penalty=NoPenalty(), hidden=())
    A = {}
    for every in (1, 100):
        solver = NaturalGradient(
            1e-9, batch_size=N // 2, decay=0.75, update_every=every, shuffle=False
        )
        A[every] = run(solver, objective, max_iter=1).state.moments[3]
    halves = []
    for rows in (slice(0, N // 2), slice(N // 2, N)):
        X = np.hstack([objective.X[rows], np.ones((N // 2, 1))])
        halves.append(X.T @ X / (N // 2))
    np.testing.assert_allclose(A[100], halves[0], rtol=1e-10)
    # The second of two batches counts one half, not one quarter: there is no start to forget.
    np.testing.assert_allclose(A[1], 0.5 * (halves[0] + halves[1]), rtol=1e-9, atol=1e-12)


def test_a_step_that_raises_the_loss_is_not_made(monkeypatch):
    objective = build(hidden=(3,))
    w = start(objective)

    def uphill(model, directions, rate):
        return ModelStep(model.gradient.copy(), np.ones(1), -1.0, -1.0)

    monkeypatch.setattr(BatchModel, "minimise", uphill)
    result = run(NaturalGradient(batch_size=N, damping=0.01), objective, w, max_iter=2)
    np.testing.assert_array_equal(result.w, w)
    np.testing.assert_allclose(result.state.moments[1], 0.16)


def test_the_model_of_a_batch_is_minimised_in_the_plane(rng):
    objective = build(Multinomial(), 3)
    w = start(objective)
    batch = next(objective.batches(N, rng, shuffle=False))
    _, gradient = objective.loss_and_gradient(w, batch)
    gradient = gradient.copy()
    objective.add_penalty_gradient(w, gradient)
    model = BatchModel(objective, objective.linearised_batch(batch), gradient, 0.2)
    plane = list(rng.normal(size=(2, w.size)))
    step = model.minimise(plane, 1.0)
    image = objective.linearise(w).gauss_newton_vec(step.displacement)
    slope = gradient + image + 0.2 * step.displacement
    assert np.abs(np.array(plane) @ slope).max() < 1e-10
    value = float(gradient @ step.displacement + 0.5 * step.displacement @ image)
    assert step.predicted == pytest.approx(value, rel=ARITHMETIC["float64"])
    half = model.minimise(plane, 0.5)
    np.testing.assert_allclose(half.displacement, 0.5 * step.displacement, rtol=1e-12)


def test_linear_models_are_refused_in_words():
    with pytest.raises(IncompatibleSolverError, match="needs a network of layers; the model is"):
        LinearRegression(solver="natural_gradient").fit(np.eye(4), np.arange(4.0))


def test_the_seed_decides():
    objective = build(Multinomial(), 3)
    first, same, other = (
        run(NaturalGradient(batch_size=20), objective, rng=np.random.default_rng(seed)).w
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("rate", ["cosine", Cosine(0.1), Exponential(0.1, decay=0.9)])
def test_schedules_multiply_the_step(rate):
    objective = build()
    result = run(NaturalGradient(rate, batch_size=40), objective, max_iter=20)
    assert result.value < run(NaturalGradient(1e-6), objective, max_iter=1).value


# Through the estimators


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[::3] / 16.0, y[::3]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["newton_cg", "natural_gradient"])
def test_estimators_take_both_by_name(solver, digits):
    X, y = digits
    options = {"random_state": 0, "max_iter": 12, "n_iter_no_change": np.inf}
    clf = MLPClassifier((20,), "tanh", solver=solver, **options)
    adam = MLPClassifier((20,), "tanh", solver=Adam(0.01), **options)
    clf.fit(X, y)
    adam.fit(X, y)
    assert clf.loss_ < 0.5 * adam.loss_
    assert clf.score(X, y) > 0.95
    assert set(clf.history_) >= {"loss", "gradient_norm", "step_size", "seconds", "passes"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_search_over_their_parameters(digits):
    X, y = digits
    clf = MLPClassifier((8,), solver="natural_gradient", max_iter=3, random_state=0, tol=10.0)
    grid = {"solver__damping": [1e-3, 1e-1], "solver__momentum": [0.0, 0.9]}
    search = GridSearchCV(clf.set_params(n_iter_no_change=1), grid, cv=2).fit(X, y)
    assert set(search.best_params_) == set(grid)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fit_k_times_is_fit_with_k_epochs(digits):
    X, y = digits
    options = {
        "solver": NaturalGradient(batch_size=100), "random_state": 3, "tol": 0.0, "max_iter": 3,
        "n_iter_no_change": np.inf,
    }  # fmt: skip
    whole, stream = MLPClassifier((8,), **options), MLPClassifier((8,), **options)
    whole.fit(X, y)
    for _ in range(3):
        stream.partial_fit(X, y, classes=np.unique(y))
    for first, second in zip(whole.coefs_, stream.coefs_, strict=True):
        np.testing.assert_allclose(first, second, rtol=arithmetic("float32"), atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressor_fits_a_curve_to_many_digits():
    X = np.linspace(-1, 1, 60)[:, None]
    y = np.sin(4 * X[:, 0])
    reg = MLPRegressor(
        (12,), "tanh", solver="newton_cg", alpha=0.0, tol=1e-12, max_iter=300, random_state=0
    )
    assert 1.0 - reg.fit(X, y).score(X, y) < 1e-5
