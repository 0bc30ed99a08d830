"""Every loss of the registry, against its own definition, and against peers."""

import inspect
import warnings

import numpy as np
import pytest
import sklearn._loss.loss as peers
from scipy.optimize import minimize, minimize_scalar
from sklearn.base import clone
from sklearn.metrics import hinge_loss, log_loss, mean_pinball_loss, mean_poisson_deviance

from skgrad import losses
from skgrad.losses import (
    LOSSES,
    AbsoluteError,
    CrossEntropy,
    EpsilonInsensitive,
    Hinge,
    Huber,
    Logistic,
    Loss,
    Multinomial,
    Poisson,
    Quantile,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
    get_loss,
)

N_CLASSES = 4

# Each hyper-parameter away from its default, as a NumPy scalar as a grid of values gives it: it
# must not turn float32 into float64.
PARAMETERS = {
    "huber": {"delta": np.float64(0.7)},
    "quantile": {"quantile": np.float64(0.8)},
    # One, so that any number of columns will do; several have their own tests.
    "multi_quantile": {"quantiles": (np.float64(0.8),)},
    "epsilon_insensitive": {"epsilon": np.float64(0.3)},
    "squared_epsilon_insensitive": {"epsilon": np.float64(0.3)},
}

# A point in the interior of the conjugate's domain, and one outside, for y = 1 (class 0).
DUALS = {
    "squared_error": (1.7, None),
    "absolute_error": (0.4, 1.1),
    "huber": (0.6, 0.8),
    "quantile": (0.1, 0.3),
    "multi_quantile": (0.1, 0.3),
    "epsilon_insensitive": (-0.4, -1.1),
    "squared_epsilon_insensitive": (-1.3, None),
    "logistic": (-0.3, 0.1),
    "hinge": (-0.3, 0.1),
    "squared_hinge": (-1.8, 0.1),
    "poisson": (0.8, -1.1),
}


def make(name):
    return LOSSES[name](**PARAMETERS.get(name, {}))


def draw_target(loss, n, rng, dtype=np.float64, n_outputs=2):
    if loss.target == "class_index":
        return rng.integers(N_CLASSES, size=n)
    if loss.target == "probabilities":
        return rng.dirichlet(np.ones(N_CLASSES), size=n).astype(dtype)
    if loss.target == "binary01":
        return rng.integers(2, size=(n, n_outputs)).astype(dtype)
    if loss.target == "sign":
        return rng.choice([-1.0, 1.0], size=(n, n_outputs)).astype(dtype)
    if loss.name == "poisson":
        return rng.poisson(2.0, size=(n, n_outputs)).astype(dtype)
    return rng.normal(size=(n, n_outputs)).astype(dtype)


def draw(loss, n=40, seed=0, dtype=np.float64, n_outputs=2):
    rng = np.random.default_rng(seed)
    columns = N_CLASSES if loss.coupled else n_outputs
    raw = (1.5 * rng.normal(size=(n, columns))).astype(dtype)
    return draw_target(loss, n, rng, dtype, n_outputs), raw


def difference(function, raw, direction, h=1e-6):
    return (function(raw + h * direction) - function(raw - h * direction)) / (2 * h)


def far_from_kinks(loss, y, raw):
    """Entries whose second derivative exists in a neighbourhood."""
    h = 1e-4
    return np.isclose(loss.curvature(y, raw - h), loss.curvature(y, raw + h), atol=1e-2)


SMOOTH = [name for name in LOSSES if LOSSES[name].smooth]
every_smooth_loss = pytest.mark.parametrize("loss", [make(name) for name in SMOOTH], ids=SMOOTH)
every_loss = pytest.mark.parametrize("loss", [make(name) for name in LOSSES], ids=list(LOSSES))
separate_losses = [make(name) for name in LOSSES if not LOSSES[name].coupled]
every_separate_loss = pytest.mark.parametrize("loss", separate_losses, ids=lambda x: x.name)


def test_registry_holds_every_loss():
    exported = filter(inspect.isclass, (getattr(losses, name) for name in losses.__all__))
    wrappers = {losses.MoreauEnvelope, losses.Smoothed}
    assert set(exported) - {Loss} - wrappers == set(LOSSES.values())
    assert all(name == LOSSES[name].name for name in LOSSES)


# Derivatives


@every_loss
def test_gradient_is_derivative_of_value(loss):
    y, raw = draw(loss)
    direction = np.random.default_rng(1).normal(size=raw.shape)
    expected = difference(lambda z: loss.value(y, z), raw, direction)
    actual = loss.gradient(y, raw) * direction
    if loss.coupled:
        actual = actual.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(actual, expected, atol=1e-7)


@every_loss
def test_curvature_is_derivative_of_gradient(loss):
    y, raw = draw(loss)
    direction = np.random.default_rng(1).normal(size=raw.shape)
    expected = difference(lambda z: loss.gradient(y, z), raw, direction)
    curvature = loss.curvature(y, raw)
    if loss.coupled:
        assert curvature.shape == (*raw.shape, raw.shape[1])
        actual = np.einsum("ijk,ik->ij", curvature, direction)
        keep = np.ones(raw.shape, bool)
    else:
        assert curvature.shape == raw.shape
        actual = curvature * direction
        keep = far_from_kinks(loss, y, raw)
    assert keep.mean() > 0.9
    np.testing.assert_allclose(actual[keep], expected[keep], atol=1e-7)
    product = loss.curvature_product(loss.curvature_state(y, raw), direction)
    np.testing.assert_allclose(product, actual, atol=1e-13)


@every_loss
def test_value_and_gradient_agree_with_each(loss):
    for seed, scale in enumerate([0.01, 1, 30]):
        y, raw = draw(loss, seed=seed)
        value, gradient = loss.value_and_gradient(y, scale * raw)
        np.testing.assert_allclose(value, loss.value(y, scale * raw), rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(gradient, loss.gradient(y, scale * raw), rtol=1e-14, atol=1e-15)


@every_loss
def test_max_curvature_bounds_the_gradient_and_is_reached(loss):
    y, raw = draw(loss, n=400)
    if not np.isfinite(loss.max_curvature):
        assert loss.name == "poisson" or not loss.smooth
        return
    raw[0] = 0.0
    if loss.coupled:
        raw[1] = [50.0, 50.0, 0.0, 0.0]  # two even classes: the extreme case
        largest = np.linalg.eigvalsh(loss.curvature(y, raw)).max()
    else:
        largest = loss.curvature(y, raw).max()
    assert largest == pytest.approx(loss.max_curvature, rel=1e-12)


@every_loss
def test_smooth_means_continuous_gradient(loss):
    y, raw = draw(loss, n=1)
    line = np.linspace(-3, 3, 6001)
    rays = np.zeros((len(line), raw.shape[1]))
    rays[:, 0] = line
    gradient = loss.gradient(np.repeat(y, len(line), axis=0), rays)
    jumps = np.abs(np.diff(gradient[:, 0])).max()
    assert (jumps < 0.05) == loss.smooth


@pytest.mark.parametrize(
    ("loss", "y", "raw"),
    [
        (AbsoluteError(), 2.0, 2.0),
        (Quantile(0.3), 2.0, 2.0),
        (EpsilonInsensitive(0.5), 2.0, 2.5),
        (EpsilonInsensitive(0.5), 2.0, 1.5),
        (Hinge(), -1.0, -1.0),
    ],
)
def test_subgradient_at_a_kink_is_zero(loss, y, raw):
    assert loss.gradient(np.array([[y]]), np.array([[raw]])).item() == 0


def test_quadratic_means_constant_curvature():
    for name in LOSSES:
        loss = make(name)
        curvature = loss.curvature(*draw(loss))
        constant = bool(np.all(curvature == curvature.flat[0])) and curvature.flat[0] > 0
        assert constant == loss.quadratic


# Range and type of numbers


@every_loss
def test_extreme_margins_are_exact_and_silent(loss):
    if loss.name == "poisson":
        y, raw = np.array([[3.0], [0.0]]), np.array([[-1e4], [-1e4]])
    elif loss.target == "probabilities":
        y, raw = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]), np.array([[1e4, -1e4, 0.0]] * 2)
    elif loss.coupled:
        y, raw = np.array([0, 1]), np.array([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]])
    else:
        y = np.array([[1.0], [1.0], [0.0 if loss.target == "binary01" else -1.0]])
        raw = np.array([[1e4], [-1e4], [1e4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, gradient = loss.value_and_gradient(y, raw)
        others = [loss.value(y, raw), loss.gradient(y, raw), loss.inverse_link(raw)]
        state = loss.curvature_state(y, raw)
        others += [loss.curvature(y, raw), loss.curvature_product(state, np.ones_like(raw))]
        others += [loss.rank_one_terms(state), loss.total_curvature(state, np.ones((len(raw), 1)))]
        conjugate = loss.conjugate(y, gradient)
    assert all(np.isfinite(array).all() for array in [value, gradient, *others])
    product = raw * gradient
    if loss.coupled:
        product = product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(value + conjugate, product, rtol=1e-12, atol=1e-10)


def test_margin_losses_at_extreme_margins_have_known_values():
    for sign, y in ((1.0, 1.0), (-1.0, 0.0)):
        raw, label = np.array([[sign * 1e4], [-sign * 1e4]]), np.full((2, 1), y)
        assert Logistic().value(label, raw).ravel().tolist() == [0.0, 1e4]
        assert Logistic().gradient(label, raw).ravel().tolist() == [0.0, -sign]
    scores = np.array([[1e4, -1e4, 0.0]] * 3)
    assert Multinomial().value(np.arange(3), scores).ravel().tolist() == [0.0, 2e4, 1e4]


def test_logistic_is_not_rounded_away_on_the_right_side():
    y, raw = np.array([[1.0], [0.0]]), np.array([[40.0], [-40.0]])
    np.testing.assert_allclose(Logistic().value(y, raw), np.exp(-40.0), rtol=1e-14)
    np.testing.assert_allclose(Logistic().curvature(y, raw), np.exp(-40.0), rtol=1e-14)


def test_poisson_overflows_to_inf():
    with pytest.warns(RuntimeWarning, match="overflow"):
        value = Poisson().value(np.array([[3.0]]), np.array([[1e4]]))
    assert value.item() == np.inf


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_inputs_are_not_modified(loss, dtype):
    y, raw = draw(loss, dtype=dtype)
    y_before, raw_before = y.copy(), raw.copy()
    value, gradient = loss.value_and_gradient(y, raw)
    n_columns = 1 if loss.coupled else raw.shape[1]
    assert value.shape == (len(raw), n_columns)
    assert gradient.shape == raw.shape
    results = [value, gradient, loss.value(y, raw), loss.gradient(y, raw)]
    state = loss.curvature_state(y, raw)
    results += [loss.curvature(y, raw), loss.curvature_product(state, raw), state]
    results += [loss.rank_one_terms(state)]
    results += [loss.rank_one_directions(state, np.zeros(len(raw), dtype=int))]
    results += [loss.inverse_link(raw), loss.conjugate(y, gradient)]
    if loss.has_prox:
        steps = np.full(raw.shape, 0.5, dtype=dtype)
        results += [loss.prox(y, raw, 0.5), loss.prox(y, raw, steps)]
    if not loss.coupled:
        results.append(loss.constant(y, np.ones(len(y))))
    assert {result.dtype for result in results} == {np.dtype(dtype)}
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(raw, raw_before)


@every_loss
def test_value_is_at_least_zero(loss):
    y, raw = draw(loss, n=500)
    assert loss.value(y, raw).min() >= -1e-14


# Conjugate


@every_separate_loss
def test_conjugate_is_the_supremum(loss):
    dual, outside = DUALS[loss.name]
    y = np.array([[1.0]])

    def negative(z):
        return (loss.value(y, np.array([[z]])) - dual * z).item()

    best = minimize_scalar(negative, bounds=(-30, 30), method="bounded", options={"xatol": 1e-10})
    conjugate = loss.conjugate(y, np.array([[dual]])).item()
    assert conjugate == pytest.approx(-best.fun, abs=1e-7)
    if outside is not None:
        assert loss.conjugate(y, np.array([[outside]])).item() == np.inf


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (Multinomial(), np.array([1])),
        (CrossEntropy(), np.array([[0.0, 1.0, 0.0, 0.0]])),
        (CrossEntropy(), np.array([[0.0, 0.8, 0.05, 0.15]])),
    ],
)
def test_conjugate_of_a_softmax_is_the_supremum(loss, y):
    dual = np.array([[0.2, -0.7, 0.4, 0.1]])
    best = minimize(lambda z: loss.value(y, z[None]).item() - dual[0] @ z, np.zeros(4), tol=1e-9)
    assert loss.conjugate(y, dual).item() == pytest.approx(-best.fun, abs=1e-7)
    assert loss.conjugate(y, dual + 0.01).item() == np.inf
    assert loss.conjugate(y, np.array([[-0.1, -0.9, 0.6, 0.4]])).item() == np.inf


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fenchel_young(loss, dtype):
    y, raw = draw(loss, n=300, dtype=dtype)
    gradient = loss.gradient(y, raw)
    other = gradient[::-1] if loss.name in {"squared_error", "huber"} else gradient * dtype(0.9)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13

    def gap(dual):
        product = raw * dual
        if loss.coupled:
            product = product.sum(axis=1, keepdims=True)
        return loss.value(y, raw) + loss.conjugate(y, dual) - product

    assert np.abs(gap(gradient)).max() < 10 * tolerance
    assert gap(other).min() > -10 * tolerance
    assert gap(other).max() > 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("loss", "y", "border"),
    [
        (AbsoluteError(), 3.0, 1.0),
        (AbsoluteError(), 3.0, -1.0),
        (Huber(0.7), 3.0, 0.7),
        (Quantile(0.8), 3.0, 0.2),
        (Quantile(0.8), 3.0, -0.8),
        (EpsilonInsensitive(0.2), 3.0, 1.0),
        (Logistic(), 1.0, -1.0),
        (Logistic(), 0.0, 1.0),
        (Hinge(), -1.0, 1.0),
        (Hinge(), 1.0, -1.0),
        (Poisson(), 300.0, -300.0),
    ],
)
def test_conjugate_forgives_rounding_at_the_border(loss, y, border, dtype):
    y = np.full((1, 1), y, dtype=dtype)
    beyond = np.full((1, 1), border * (1 + 3 * np.finfo(dtype).eps), dtype=dtype)
    assert np.isfinite(loss.conjugate(y, beyond)).all()
    assert np.isinf(loss.conjugate(y, beyond * dtype(1.0001))).all()


def test_multinomial_conjugate_forgives_rounding_at_the_border():
    y, raw = np.arange(10), 50 * np.random.default_rng(0).normal(size=(10, 10))
    dual = Multinomial().gradient(y, raw) * (1 + 3 * np.finfo(float).eps)
    assert np.isfinite(Multinomial().conjugate(y, dual)).all()


# Proximal operator


@every_separate_loss
def test_prox_minimises(loss):
    y, raw = draw(loss, n=12)
    raw *= 2
    if not loss.has_prox:
        with pytest.raises(NotImplementedError, match=f"{loss.name} loss has no closed-form"):
            loss.prox(y, raw, 1.0)
        return
    steps = np.random.default_rng(2).uniform(0.05, 3, size=raw.shape)
    result = loss.prox(y, raw, steps)
    for index in np.ndindex(raw.shape):
        target, start, step = y[index], raw[index], steps[index]

        def objective(z, target=target, start=start, step=step):
            return step * loss.value(np.array([[target]]), np.array([[z]])).item() + (
                0.5 * (z - start) ** 2
            )

        best = minimize_scalar(objective, bracket=(start - 1, start + 1), tol=1e-10)
        assert result[index] == pytest.approx(best.x, abs=1e-6)
        assert objective(result[index]) <= best.fun + 1e-12
        one = loss.prox(y, raw, float(step))
        assert one[index] == pytest.approx(result[index], abs=1e-14)


def test_multinomial_has_no_prox():
    assert not Multinomial.has_prox
    with pytest.raises(NotImplementedError, match="multinomial"):
        Multinomial().prox(np.array([0]), np.zeros((1, 3)), 1.0)


# Link


@every_loss
def test_inverse_link_of_the_minimiser_is_the_mean(loss):
    if loss.name not in {"squared_error", "logistic", "multinomial", "cross_entropy", "poisson"}:
        raw = draw(loss)[1]
        np.testing.assert_array_equal(loss.inverse_link(raw), raw)
        return
    y, _ = draw(loss)
    mean = loss.inverse_link(loss.constant(y)[None])[0]
    expected = (np.eye(N_CLASSES)[y] if loss.target == "class_index" else y).mean(axis=0)
    np.testing.assert_allclose(mean, expected, rtol=1e-12)


# Constant


def constant_of(loss, y, weights=None):
    return loss.constant(y, weights, n_outputs=N_CLASSES if loss.coupled else None)


@every_loss
def test_constant_minimises_among_constants(loss):
    y, _ = draw(loss, n=61, seed=3)
    weights = np.random.default_rng(4).uniform(0.1, 2, size=len(y))
    best = constant_of(loss, y, weights)

    def mean_loss(constant):
        raw = np.tile(constant, (len(y), 1))
        return (weights @ loss.value(y, raw)).sum() / weights.sum()

    # These start from the median or the mean, close to a minimiser without a closed form.
    approximate = {"huber", "epsilon_insensitive", "squared_epsilon_insensitive"}
    slack = 0.02 * mean_loss(best) if loss.name in approximate else 1e-12
    for seed in range(200):
        size = 10.0 ** -(seed % 4)
        other = best + size * np.random.default_rng(seed).normal(size=best.shape)
        assert mean_loss(best) <= mean_loss(other) + slack


@every_loss
def test_constant_weight_two_is_row_twice_and_weight_zero_is_row_gone(loss):
    y, _ = draw(loss, n=50, seed=5)
    weights = np.random.default_rng(6).integers(0, 4, size=len(y))
    repeated = np.repeat(y, weights, axis=0)
    expected = constant_of(loss, repeated)
    np.testing.assert_allclose(constant_of(loss, y, weights), expected, atol=1e-12)
    unweighted = constant_of(loss, repeated, np.full(len(repeated), 1e-10))
    np.testing.assert_allclose(unweighted, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_is_finite_when_the_minimiser_is_not(dtype):
    ones = np.ones((5, 1), dtype=dtype)
    assert 10 < Logistic().constant(ones).item() < 40
    assert -40 < Logistic().constant(0 * ones).item() < -10
    assert -40 < Poisson().constant(0 * ones).item() < -10
    scores = Multinomial().constant(np.array([0, 0, 2]), n_outputs=4)
    assert np.isfinite(scores).all()
    assert scores.sum() == pytest.approx(0.0, abs=1e-12)
    assert scores[0] - scores[2] == pytest.approx(np.log(2))


def test_squared_hinge_constant_is_the_weighted_mean():
    y, weights = np.array([[1.0], [-1.0], [1.0]]), np.array([1.0, 2.0, 4.0])
    best = SquaredHinge().constant(y, weights)
    assert best.item() == pytest.approx(3 / 7)
    slope = weights @ SquaredHinge().gradient(y, np.tile(best, (3, 1)))
    np.testing.assert_allclose(slope, 0.0, atol=1e-14)


def test_hinge_constant_is_the_majority_or_zero_on_a_tie():
    y = np.array([[1.0], [1.0], [1.0], [-1.0]])
    assert Hinge().constant(y).item() == 1
    assert Hinge().constant(y, np.array([0.1, 0.1, 0.1, 0.5])).item() == -1
    assert Hinge().constant(y, np.array([0.1, 0.1, 0.1, 0.3])).item() == 0


def test_median_of_an_even_number_is_the_middle():
    y = np.array([[0.0, 5.0], [1.0, 5.0], [4.0, 7.0], [9.0, 8.0]])
    assert AbsoluteError().constant(y).tolist() == [2.5, 6.0]
    assert Quantile(0.25).constant(y).tolist() == [0.5, 5.0]
    assert Quantile(0.99).constant(y).tolist() == [9.0, 8.0]


# Target, hyper-parameters, names


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[1.0], [-2.5]], "poisson loss needs y >= 0, but y contains -2.5"),
        ([[0.0, 1.0], [0.0, 2.0]], "poisson loss needs a positive sum .* sums to 0"),
    ],
)
def test_poisson_refuses_bad_targets(y, message):
    with pytest.raises(ValueError, match=message):
        Poisson().check_target(np.array(y))


@every_loss
def test_check_target_accepts_good_targets(loss):
    loss.check_target(draw(loss)[0])


@every_loss
def test_clone_and_get_loss(loss):
    copy = clone(loss)
    assert copy.get_params() == loss.get_params()
    assert repr(copy) == repr(loss)
    assert get_loss(loss) is loss
    assert type(get_loss(loss.name)) is type(loss)


def test_default_parameters():
    assert {name: LOSSES[name]().get_params() for name in PARAMETERS} == {
        "huber": {"delta": 1.35},
        "quantile": {"quantile": 0.5},
        "multi_quantile": {"quantiles": (0.1, 0.5, 0.9)},
        "epsilon_insensitive": {"epsilon": 0.1},
        "squared_epsilon_insensitive": {"epsilon": 0.1},
    }


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("huber", {"delta": 0.0}),
        ("quantile", {"quantile": 1.0}),
        ("multi_quantile", {"quantiles": ()}),
        ("multi_quantile", {"quantiles": 0.5}),
        ("multi_quantile", {"quantiles": "auto"}),
        ("multi_quantile", {"quantiles": (0.1, 1.0)}),
        ("multi_quantile", {"quantiles": (0.9, 0.1)}),
        ("multi_quantile", {"quantiles": (0.5, 0.5)}),
        ("epsilon_insensitive", {"epsilon": -0.1}),
        ("squared_epsilon_insensitive", {"epsilon": "wide"}),
    ],
)
def test_validation(name, wrong):
    loss = LOSSES[name](**wrong)
    parameter = next(iter(wrong))
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {type(loss).__name__}"):
        loss.validate()
    with pytest.raises(ValueError, match=parameter):
        get_loss(loss)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"Did you mean 'squared_hinge'\?.*absolute_error"
    ) as error:
        get_loss("squard_hinge")
    assert all(name in str(error.value) for name in LOSSES)
    with pytest.raises(ValueError, match="Unknown loss None"):
        get_loss(None)


# Peers


@pytest.mark.parametrize(
    ("loss", "peer"),
    [
        (SquaredError(), peers.HalfSquaredError()),
        (AbsoluteError(), peers.AbsoluteError()),
        (Quantile(0.8), peers.PinballLoss(quantile=0.8)),
        (Huber(0.7), peers.HuberLoss(delta=0.7)),
        (Logistic(), peers.HalfBinomialLoss()),
        (Poisson(), peers.HalfPoissonLoss()),
        (Multinomial(), peers.HalfMultinomialLoss(n_classes=N_CLASSES)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_same_as_scikit_learn(loss, peer):
    y, raw = draw(loss, n=200, n_outputs=1)
    peer_raw = raw if loss.coupled else raw.ravel()
    target = y.ravel().astype(float)
    value, gradient = peer.loss_gradient(target, peer_raw.copy())
    if loss.name == "poisson":  # scikit-learn leaves out what does not depend on raw
        value = value + peer.constant_to_optimal_zero(target)
    np.testing.assert_allclose(loss.value(y, raw).ravel(), value, rtol=1e-12, atol=1e-13)
    expected = gradient if loss.coupled else gradient[:, None]
    np.testing.assert_allclose(loss.gradient(y, raw), expected, rtol=1e-12, atol=1e-13)


def test_same_as_metrics():
    y, raw = draw(Hinge(), n_outputs=1)
    assert Hinge().value(y, raw).mean() == pytest.approx(hinge_loss(y.ravel(), raw.ravel()))
    y, raw = draw(Multinomial())
    proba = Multinomial().inverse_link(raw)
    assert Multinomial().value(y, raw).mean() == pytest.approx(log_loss(y, proba))
    y, raw = draw(Poisson(), n_outputs=1)
    deviance = mean_poisson_deviance(y.ravel(), np.exp(raw.ravel()))
    assert Poisson().value(y, raw).mean() == pytest.approx(deviance / 2)
    y, raw = draw(Quantile(0.8), n_outputs=1)
    assert Quantile(0.8).value(y, raw).mean() == pytest.approx(mean_pinball_loss(y, raw, alpha=0.8))


def test_degenerate_tubes_are_the_plain_losses():
    y, raw = draw(SquaredError())
    np.testing.assert_allclose(EpsilonInsensitive(0.0).value(y, raw), AbsoluteError().value(y, raw))
    np.testing.assert_allclose(
        SquaredEpsilonInsensitive(0.0).value(y, raw), 2 * SquaredError().value(y, raw)
    )


def test_two_class_multinomial_is_logistic():
    y, raw = draw(Logistic(), n_outputs=1)
    scores = np.hstack([np.zeros_like(raw), raw])
    codes = y.ravel().astype(int)
    np.testing.assert_allclose(
        Multinomial().value(codes, scores), Logistic().value(y, raw), atol=1e-14
    )


def test_soft_labels_interpolate_the_hard_ones():
    raw = np.linspace(-5, 5, 11)[:, None]
    mixed = 0.3 * Logistic().value(np.ones_like(raw), raw)
    mixed += 0.7 * Logistic().value(np.zeros_like(raw), raw)
    np.testing.assert_allclose(Logistic().value(np.full_like(raw, 0.3), raw), mixed, rtol=1e-13)


# What products with a Hessian share


@every_smooth_loss
def test_rank_one_terms_add_up_to_the_curvature(loss):
    y, raw = draw(loss)
    raw = raw * 3.0
    state, K = loss.curvature_state(y, raw), raw.shape[1]
    curvature = loss.curvature(y, raw)
    if not loss.coupled:
        curvature = curvature[:, :, None] * np.eye(K)
    strengths = loss.rank_one_terms(state)
    assert (strengths >= 0).all()
    total = np.zeros_like(curvature)
    for j in range(K):
        v = loss.rank_one_directions(state, np.full(len(state), j))
        total += strengths[:, j, None, None] * v[:, :, None] * v[:, None, :]
    np.testing.assert_allclose(total, curvature, rtol=1e-12, atol=1e-14)


@every_smooth_loss
def test_total_curvature_is_the_weighted_sum(loss):
    y, raw = draw(loss)
    state, curvature = loss.curvature_state(y, raw), loss.curvature(y, raw)
    if not loss.coupled:
        curvature = curvature[:, :, None] * np.eye(raw.shape[1])
    weight = np.random.default_rng(1).random((len(raw), 1))
    expected = (curvature * weight[:, :, None]).sum(axis=0)
    np.testing.assert_allclose(loss.total_curvature(state, weight), expected, atol=1e-12)


def test_the_first_multinomial_term_holds_a_confident_rows_curvature():
    loss, raw = Multinomial(), np.array([[9.0, 0.0, 8.5, -1.0]])
    state = loss.curvature_state(np.array([0]), raw)
    strengths = loss.rank_one_terms(state)
    assert strengths[0, 0] > 0.99 * strengths.sum()
