"""Functions of the user's, with and without their derivatives, and vectorisers of texts."""

import pickle

import numpy as np
import pandas as pd
import pytest
from derivatives import FORMS, assert_jacobian, differences
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from tolerances import FINITE_DIFFERENCE, arithmetic

from skgrad import LogisticRegression, Ridge
from skgrad.inspection import (
    DifferentiableFunctionTransformer,
    FiniteDifferenceWarning,
    NonDifferentiableError,
    input_gradients,
    input_jacobian,
)
from skgrad.inspection.chain import Walk

EXACT = arithmetic("float64")
TEXTS = ["red car", "blue car", "red house", "old blue house", "car", "old"]


@pytest.fixture(name="X")
def numbers():
    return np.random.default_rng(0).lognormal(size=(40, 3))


def ratios(X, power=1.0):
    X = np.asarray(X)
    return np.stack([X[:, 0] / X[:, 1], X[:, 2] ** power], axis=1)


def ratios_jacobian(X, power=1.0):
    X = np.asarray(X)
    jacobian = np.zeros((len(X), 2, 3))
    jacobian[:, 0, 0] = 1.0 / X[:, 1]
    jacobian[:, 0, 1] = -X[:, 0] / X[:, 1] ** 2
    jacobian[:, 1, 2] = power * X[:, 2] ** (power - 1.0)
    return jacobian


@pytest.mark.parametrize("form", ["array", "column-major", "frame"])
@pytest.mark.parametrize("validate", [True, False])
def test_jacobian_that_a_function_brings(X, form, validate):
    step = DifferentiableFunctionTransformer(
        ratios, ratios_jacobian, kw_args={"power": 3.0}, validate=validate
    ).fit(FORMS[form](X))
    found = input_jacobian(step, FORMS[form](X))
    assert_jacobian(found, differences(step, X, FORMS[form]), rtol=FINITE_DIFFERENCE)


def test_slopes_that_a_function_brings_are_columnwise(X):
    step = DifferentiableFunctionTransformer(lambda X: X**1.5, lambda X: 1.5 * X**0.5).fit(X)
    assert_jacobian(input_jacobian(step, X), differences(step, X), rtol=FINITE_DIFFERENCE)
    local = Walk(np.arange(3), list("abc")).transform(step, X)
    assert local.sources.tolist() == [0, 1, 2]
    assert (
        input_jacobian(DifferentiableFunctionTransformer().fit(X), X)[0].tolist()
        == np.eye(3).tolist()
    )


def test_function_that_brings_its_jacobian_fits_into_the_family(X):
    step = DifferentiableFunctionTransformer(
        np.log, np.reciprocal, np.exp, feature_names_out="one-to-one"
    )
    copy = pickle.loads(pickle.dumps(clone(step).fit(X)))
    assert copy.get_params() == step.get_params()
    assert set(step.get_params()) == {*FunctionTransformer().get_params(), "jacobian"}
    np.testing.assert_array_equal(copy.transform(X), FunctionTransformer(np.log).fit_transform(X))
    np.testing.assert_allclose(copy.inverse_transform(copy.transform(X)), X, rtol=EXACT)
    frame = step.set_output(transform="pandas").fit_transform(pd.DataFrame(X, columns=list("abc")))
    assert list(frame.columns) == list("abc")


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(DifferentiableFunctionTransformer())),
    ids=lambda part: getattr(getattr(part, "func", None), "__name__", None),
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (DifferentiableFunctionTransformer(np.log), "Give func and jacobian, or neither"),
        (DifferentiableFunctionTransformer(None, np.log), "Give func and jacobian, or neither"),
        (
            DifferentiableFunctionTransformer(np.log, lambda X: X[:, :1]),
            r"\(40, 3\) or .* got \(40, 1\)",
        ),
        (DifferentiableFunctionTransformer(np.log, lambda X: 1.0), r"got \(\)"),
    ],
)
def test_jacobian_that_is_missing_or_of_another_shape_is_refused(X, step, message):
    with pytest.raises(ValueError, match=message):
        input_jacobian(step.fit(X), X)


def test_unknown_function_is_refused_with_the_way_out(X):
    pipeline = make_pipeline(FunctionTransformer(lambda X: X**1.5), Ridge()).fit(X, X[:, 0])
    with pytest.raises(
        NonDifferentiableError, match=r"functiontransformer.*DifferentiableFunctionTransformer"
    ):
        input_gradients(pipeline, X)
    with pytest.warns(FiniteDifferenceWarning, match="function whose derivative is not known"):
        slopes = input_gradients(pipeline, X, fallback="difference")
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize(
    "step",
    [
        FunctionTransformer(np.sign),
        FunctionTransformer(np.floor),
        FunctionTransformer(np.rint),
        FunctionTransformer(np.exp, kw_args={"dtype": np.float64}),
    ],
)
def test_ufunc_that_jumps_or_has_arguments_is_refused(X, step):
    with pytest.raises(NonDifferentiableError, match="derivative is not known"):
        input_jacobian(step.fit(X), X)


def test_infinite_slope_is_not_hidden():
    X = np.array([[0.0], [4.0]])
    step = FunctionTransformer(np.sqrt).fit(X)
    assert input_jacobian(step, X).ravel().tolist() == [np.inf, 0.25]


def test_words_are_cleaned_on_the_way_to_their_encoder():
    frame = pd.DataFrame({"city": ["a ", "b", "a", "B"], "age": [1.0, 2.0, 3.0, 5.0]})
    clean = FunctionTransformer(lambda X: X.apply(lambda column: column.str.strip().str.lower()))
    columns = ColumnTransformer(
        [("city", make_pipeline(clean, OneHotEncoder()), ["city"])], remainder="passthrough"
    )
    pipeline = make_pipeline(columns, Ridge()).fit(frame, [0.0, 1.0, 0.3, 2.0])
    gradients = input_gradients(pipeline, frame)
    assert np.isnan(gradients[:, 0]).all()
    np.testing.assert_allclose(gradients[:, 1], pipeline[-1].coef_[-1], rtol=EXACT)


@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(),
        TfidfVectorizer(),
        HashingVectorizer(n_features=32),
        make_pipeline(CountVectorizer(), TfidfTransformer()),
        make_union(CountVectorizer(), TfidfVectorizer(analyzer="char")),
        make_pipeline(
            FunctionTransformer(lambda texts: pd.Series(texts).str.upper()), CountVectorizer()
        ),
    ],
    ids=["counts", "tfidf", "hashes", "two steps", "union", "cleaned"],
)
def test_chain_ends_at_texts(vectorizer):
    frame = pd.DataFrame({"age": np.arange(6.0), "text": TEXTS})
    y = [0, 1, 0, 1, 1, 1]
    columns = ColumnTransformer(
        [("text", vectorizer, "text"), ("age", StandardScaler(), ["age"])], sparse_threshold=1.0
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    gradients = input_gradients(pipeline, frame)
    assert np.isnan(gradients[:, 1]).all()
    np.testing.assert_allclose(
        gradients[:, 0], pipeline[-1].coef_[0, -1] / frame["age"].std(ddof=0), rtol=EXACT
    )
    walk = Walk(np.arange(2), ["age", "text"], "decision_function")
    local = walk.respond(pipeline, frame)
    local.pull(np.ones((6, 1)))
    assert all((leaf.owners == 1).all() for leaf in walk.leaves.values())
    assert all(np.isfinite(leaf.cotangent).all() for leaf in walk.leaves.values())


@pytest.mark.parametrize("form", [list, np.asarray, pd.Series])
def test_texts_alone_may_be_a_list_an_array_or_a_series(form):
    y = [0, 1, 0, 1, 1, 1]
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, y)
    gradients = input_gradients(pipeline, form(TEXTS))
    assert gradients.shape == (6, 1)
    assert np.isnan(gradients).all()


@pytest.mark.parametrize("vectorizer", [DictVectorizer(), FeatureHasher(8)])
def test_dictionaries_are_one_column(vectorizer):
    records = [{"age": 1.0, "city": "a"}, {"age": 2.0, "city": "b"}, {"city": "a"}]
    pipeline = make_pipeline(vectorizer, LogisticRegression()).fit(records, [0, 1, 0])
    assert np.isnan(input_gradients(pipeline, records)).all()


def test_leaf_of_two_text_steps_gets_the_cotangent_of_its_counts():
    pipeline = make_pipeline(CountVectorizer(), TfidfTransformer(), LogisticRegression())
    pipeline.fit(TEXTS, [0, 1, 0, 1, 1, 1])
    walk = Walk(np.arange(1), ["text"], "decision_function")
    walk.respond(pipeline, np.asarray(TEXTS, dtype=object)).pull(np.ones((6, 1)))
    (leaf,) = walk.leaves.values()
    counts = pipeline[0].transform(TEXTS).toarray().astype(np.float64)
    expected = input_gradients(pipeline[1:], counts)
    np.testing.assert_allclose(leaf.cotangent, expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize(
    ("function", "row"),
    [
        (lambda frame: frame.fillna(0.0) * 2.0, [2.0, 2.0]),
        (lambda frame: frame * 3.0, [3.0, 3.0]),
        (lambda frame: frame[["b"]].assign(c=frame["a"] - frame["b"]), [1.0, 0.0]),
    ],
)
@pytest.mark.parametrize("first", [0, 1])
def test_affine_function_of_a_frame_with_missing_entries(function, row, first):
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [3.0, 1.0, 1.5, 7.0]})
    frame.loc[first, "a"] = np.nan
    pipeline = make_pipeline(FunctionTransformer(function), SimpleImputer(), Ridge())
    pipeline.fit(frame, [0.0, 1.0, 3.0, 2.0])
    gradients, coef = input_gradients(pipeline, frame), pipeline[-1].coef_
    expected = [coef[1], coef[0] - coef[1]] if row == [1.0, 0.0] else np.multiply(row, coef)
    np.testing.assert_allclose(gradients[2:], [expected, expected], rtol=1e-7)
    assert gradients[first, 0] == 0.0


def test_function_that_is_affine_only_without_missing_entries_is_refused():
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [3.0, 1.0, 1.5, 7.0]})
    step = FunctionTransformer(lambda X: X.mean(axis=1).to_frame()).fit(frame)
    np.testing.assert_allclose(input_jacobian(step, frame), 0.5, rtol=1e-12)
    frame.loc[2, "a"] = np.nan  # then the mean of the others moves faster
    with pytest.raises(NonDifferentiableError, match="derivative is not known"):
        input_jacobian(step, frame)


def test_bend_that_only_later_rows_show_is_noticed():
    X = np.array([[0.0], [1.0], [5e4]])
    pipeline = make_pipeline(FunctionTransformer(lambda X: np.minimum(X, 1e4)), Ridge())
    pipeline.fit(X, [0.0, 1.0, 2.0])
    assert np.isfinite(input_gradients(pipeline, X[:2])).all()
    with pytest.raises(NonDifferentiableError, match="derivative is not known"):
        input_gradients(pipeline, X)


def test_jacobian_of_a_function_of_mixed_columns():
    frame = pd.DataFrame(
        {"age": [1.0, 2.0, 4.0, 3.0], "city": list("abba"), "debt": [3.0, 1, 2, 5]}
    )

    def chosen(frame):
        return frame[["city"]].assign(ratio=frame["age"] / frame["debt"])

    def jacobian(frame):
        slopes = np.zeros((len(frame), 2, 3))
        slopes[:, 0, 1] = 1.0  # the city is passed on
        slopes[:, 1, 0] = 1.0 / frame["debt"]
        slopes[:, 1, 2] = -frame["age"] / frame["debt"] ** 2
        return slopes

    columns = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    pipeline = make_pipeline(DifferentiableFunctionTransformer(chosen, jacobian), columns, Ridge())
    gradients = input_gradients(pipeline.fit(frame, [0.0, 1.0, 0.5, 2.0]), frame)
    expected = pipeline[-1].coef_[2] * jacobian(frame)[:, 1][:, [0, 2]]
    np.testing.assert_allclose(gradients[:, [0, 2]], expected, rtol=EXACT)
    assert np.isnan(gradients[:, 1]).all()
