"""ColumnTransformers given columns in all ways, and frames between steps."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.impute._iterative import IterativeImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from tolerances import FINITE_DIFFERENCE

from skgrad import LogisticRegression, Ridge
from skgrad.inspection import input_gradients
from skgrad.inspection._question import CHUNK_BYTES, ask
from skgrad.inspection.chain import SEVERAL, Walk

NUMERIC = ["age", "income", "debt", "rate"]


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    n = 150
    frame = pd.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, n),
            "city": rng.choice(list("abc"), n),
            "income": rng.lognormal(1.0, 0.5, n),
            "debt": rng.normal(size=n),
            "kind": pd.Categorical(rng.choice(["x", "y"], n)),
            "rate": rng.uniform(0.1, 0.9, n),
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[3::11, "income"] = np.nan
    score = frame["age"].fillna(40.0) / 40.0 + frame["rate"] + (frame["city"] == "a")
    return frame, np.where(score + rng.normal(size=n) > 2.0, "yes", "no")


def assert_differences(pipeline, frame, columns=NUMERIC, response="decision_function"):
    """Compare gradients with central differences in the raw columns."""
    gradients = input_gradients(pipeline, frame, response_method=response)
    for name in columns:
        h = 1e-5 * frame[name].std()
        ends = [frame.assign(**{name: frame[name] + step}) for step in (h, -h)]
        upper, lower = (
            np.reshape(getattr(pipeline, response)(end), (len(frame), -1))[:, -1] for end in ends
        )
        here, expected = gradients[:, frame.columns.get_loc(name)], (upper - lower) / (2.0 * h)
        size = np.abs(expected).max()
        np.testing.assert_allclose(
            here, expected, rtol=FINITE_DIFFERENCE, atol=FINITE_DIFFERENCE * size, err_msg=name
        )
        assert size > 0.0
    return gradients


def mixed_columns():
    numbers = make_pipeline(
        SimpleImputer(add_indicator=True), StandardScaler(), PolynomialFeatures(2)
    )
    return ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income"]),
            ("city", OneHotEncoder(drop="first"), ["city", "kind"]),
        ],
        remainder="passthrough",
    )


@pytest.mark.parametrize("response", ["decision_function", "predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_mixed_frame_through_imputer_polynomial_and_categories(people, response, output):
    frame, y = people
    columns = mixed_columns()
    if output == "pandas":
        columns.set_params(city__sparse_output=False)
    columns.set_output(transform=output)
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    gradients = assert_differences(pipeline, frame, response=response)
    assert np.isnan(gradients[:, [1, 4]]).all()


def test_all_kinds_of_steps_on_one_frame(people):
    frame, y = people
    numbers = make_pipeline(
        IterativeImputer(Ridge(), random_state=0, max_iter=3, tol=1e3), PowerTransformer(), PCA(2)
    )
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income", "debt"]),
            ("splines", SplineTransformer(4, extrapolation="continue"), ["debt", "rate"]),
            ("logs", FunctionTransformer(np.log), ["rate"]),
            ("ranks", QuantileTransformer(n_quantiles=10), ["debt"]),
            ("codes", OrdinalEncoder(), ["kind"]),
            ("means", TargetEncoder(cv=StratifiedKFold(3)), ["city"]),
            ("none", StandardScaler(), []),
            ("gone", "drop", ["rate"]),
        ],
        transformer_weights={"splines": 2.0, "logs": 0.5, "codes": 3.0},
    )
    # A quantile is a kink, and 10 of the rows are quantiles.
    away = ~np.isin(frame["debt"], np.quantile(frame["debt"], np.linspace(0.0, 1.0, 10)))
    assert away.sum() > 130
    for output in ("default", "pandas"):
        chosen = clone(columns).set_output(transform=output)
        pipeline = make_pipeline(chosen, SelectKBest(k=17), LogisticRegression()).fit(frame, y)
        assert_differences(pipeline, frame[away])


KEYS = {
    "names": ["income", "debt"],
    "index": pd.Index(["income", "debt"]),
    "array": np.array(["income", "debt"]),
    "positions": [2, 3],
    "negative positions": [-4, -3],
    "position array": np.array([2, 3]),
    "slice": slice(2, 4),
    "open slice": slice(-4, -2),
    "label slice": slice("income", "debt"),
    "mask": [False, False, True, True, False, False],
    "mask array": np.array([False, False, True, True, False, False]),
    "callable": lambda frame: ["income", "debt"],
    "callable, positions": lambda frame: [2, 3],
    "callable, mask": lambda frame: np.array([0, 0, 1, 1, 0, 0], dtype=bool),
    "selector": make_column_selector(pattern="income|debt"),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("remainder", ["drop", "passthrough", StandardScaler()], ids=str)
def test_columns_may_be_given_in_any_way(people, key, remainder):
    frame = people[0].fillna({"age": 1.0, "income": 2.0})
    y = frame["age"] / 40.0 + frame["debt"]
    first = ColumnTransformer([("numbers", MinMaxScaler(), key)], remainder=remainder)
    if remainder != "drop":  # the remainder must be numbers
        columns = ["age", "income", "debt", "rate"]
        frame = frame.assign(city=frame["debt"] ** 2, kind=frame["rate"] ** 2)
    else:
        columns = ["income", "debt"]
    pipeline = make_pipeline(first, Ridge()).fit(frame, y)
    assert_differences(pipeline, frame, columns, "predict")
    owners = Walk(np.arange(6), list(frame.columns)).transform(first, frame).sources
    expected = [2, 3] if remainder == "drop" else [2, 3, 0, 1, 4, 5]
    assert owners.tolist() == expected


@pytest.mark.parametrize(
    "key",
    [[0, 2], slice(0, 3, 2), [True, False, True], [-3, -1], lambda X: [0, 2]],
    ids=["list", "slice", "mask", "negative", "callable"],
)
@pytest.mark.parametrize("remainder", ["drop", "passthrough"])
def test_columns_of_arrays(key, remainder):
    X = np.random.default_rng(0).normal(size=(30, 3)) * [1.0, 2.0, 3.0]
    columns = ColumnTransformer([("scaled", StandardScaler(), key)], remainder=remainder)
    pipeline = make_pipeline(columns, Ridge()).fit(X, X.sum(axis=1))
    coef = np.zeros(3)
    coef[[0, 2]] = pipeline[-1].coef_[:2] / X[:, [0, 2]].std(axis=0)
    coef[1] = pipeline[-1].coef_[2] if remainder == "passthrough" else 0.0
    np.testing.assert_allclose(input_gradients(pipeline, X)[0], coef, rtol=1e-12)


def test_column_in_several_places_collects_from_all(people):
    frame, y = people
    columns = ColumnTransformer(
        [
            ("scaled", StandardScaler(), ["debt", "rate"]),
            ("again", SplineTransformer(extrapolation="linear"), ["debt"]),
            (
                "text",
                make_pipeline(FunctionTransformer(), CountVectorizer(analyzer="char")),
                "city",
            ),
        ]
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    gradients = assert_differences(pipeline, frame, ["debt", "rate"])
    assert (gradients[:, [0, 2]] == 0.0).all()
    assert np.isnan(gradients[:, 1]).all()


@pytest.mark.parametrize("names", [True, False, "{transformer_name}:{feature_name}"])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_column_transformers_and_unions_inside_each_other(people, names, output):
    frame, y = people
    union = FeatureUnion(
        [
            ("scaled", StandardScaler()),
            ("gone", "drop"),
            ("same", "passthrough"),
            (
                "powers",
                make_pipeline(PowerTransformer(), PolynomialFeatures(2, include_bias=False)),
            ),
        ],
        transformer_weights={"scaled": 2.0},
        verbose_feature_names_out=bool(names),
    )
    if names is False:  # names must be unique
        union.set_params(same="drop", powers=PolynomialFeatures(degree=(2, 2), include_bias=False))
    inner = ColumnTransformer(
        [
            ("filled", make_pipeline(SimpleImputer(), union), ["income", "age"]),
            (
                "words",
                OneHotEncoder(sparse_output=False),
                make_column_selector(dtype_exclude=float),
            ),
        ],
        remainder="passthrough",
        verbose_feature_names_out=names,
    )
    outer = ColumnTransformer([("all", inner, list(frame.columns))], remainder="drop")
    outer.set_output(transform=output)
    pipeline = make_pipeline(outer, StandardScaler(), LogisticRegression()).fit(frame, y)
    assert_differences(pipeline, frame)


@pytest.mark.parametrize("verbose", [False, True])
def test_frames_between_steps_are_selected_from_by_name_and_type(people, verbose):
    frame, y = people
    prefix = "remainder__" if verbose else ""
    city, kind, rate = (prefix + name for name in ("city", "kind", "rate"))
    first = ColumnTransformer(
        [("filled", SimpleImputer(), ["age", "income"])],
        remainder="passthrough",
        verbose_feature_names_out=verbose,
    ).set_output(transform="pandas")
    second = ColumnTransformer(
        [
            ("squares", PolynomialFeatures(2), make_column_selector(dtype_include="number")),
            ("words", OneHotEncoder(), slice(city, city)),
            ("doubled", FunctionTransformer(lambda X: 2.0 * X), [rate]),
            ("kind", OneHotEncoder(), [kind]),
        ]
    )
    pipeline = make_pipeline(first, second, LogisticRegression()).fit(frame, y)
    gradients = assert_differences(pipeline, frame)
    assert np.isnan(gradients[:, [1, 4]]).all()
    walk = Walk(np.arange(6), list(frame.columns), "decision_function")
    walk.respond(pipeline, frame)
    assert [sorted(set(leaf.owners)) for leaf in walk.leaves.values()] == [[1], [4]]


def test_column_twice_in_one_part_collects_from_both():
    X = np.random.default_rng(0).normal(size=(30, 2))
    columns = ColumnTransformer([("squares", PolynomialFeatures(1, include_bias=False), [0, 1, 0])])
    pipeline = make_pipeline(columns, StandardScaler(), Ridge()).fit(X, X[:, 0])
    coef = pipeline[-1].coef_ / pipeline[1].scale_
    expected = [coef[0] + coef[2], coef[1]]
    np.testing.assert_allclose(input_gradients(pipeline, X)[0], expected, rtol=1e-12)


def test_columns_of_sparse_data():
    from scipy import sparse

    X = sparse.random_array((40, 4), density=0.5, rng=np.random.default_rng(0), format="csr")
    columns = ColumnTransformer(
        [("squares", PolynomialFeatures(2, include_bias=False), [0, 1])],
        remainder="passthrough",
        sparse_threshold=1.0,
    )
    pipeline = make_pipeline(columns, Ridge()).fit(X, np.arange(40.0))
    dense = X.toarray()
    coef = pipeline[-1].coef_
    expected = np.stack(
        [
            coef[0] + 2.0 * coef[2] * dense[:, 0] + coef[3] * dense[:, 1],
            coef[1] + 2.0 * coef[4] * dense[:, 1] + coef[3] * dense[:, 0],
            np.full(40, coef[5]),
            np.full(40, coef[6]),
        ],
        axis=1,
    )
    np.testing.assert_allclose(input_gradients(pipeline, X), expected, rtol=1e-10)


def test_nothing_selected_depends_on_nothing(people):
    frame, _ = people
    step = ColumnTransformer([("none", StandardScaler(), []), ("gone", "drop", ["age"])]).fit(frame)
    local = Walk(np.arange(6), list(frame.columns)).transform(step, frame)
    assert local.value.shape == (150, 0)
    assert (local.pull(np.empty((150, 0))) == 0.0).all()


def test_sources_name_single_columns_through_containers(people):
    frame, y = people
    walk = Walk(np.arange(6), list(frame.columns))
    columns = mixed_columns().fit(frame, y)
    sources = walk.transform(columns, frame).sources
    age, income = 0, 2
    # 1; the two numbers and their two indicators; products of these; words; the rest
    singles = [SEVERAL, age, income, age, income]
    assert sources[:5].tolist() == singles
    assert sources[5] == age
    assert sources[-2:].tolist() == [3, 5]


def test_target_encoder_has_a_number_for_each_class(people):
    frame, _ = people
    y = np.random.default_rng(1).choice(["u", "v", "w"], len(frame))
    step = TargetEncoder(cv=StratifiedKFold(3)).fit(frame[["city", "kind"]], y)
    walk = Walk(np.array([1, 4]), list(frame.columns))
    walk.transform(step, frame[["city", "kind"]])
    (leaf,) = walk.leaves.values()
    assert leaf.owners.tolist() == [1, 1, 1, 4, 4, 4]


def test_missing_category_is_not_taken_for_one_that_does_not_matter(people):
    frame, y = people
    frame = frame.assign(city=frame["city"].where(frame["debt"] > -1.0))
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    columns = ColumnTransformer([("words", words, ["city"]), ("rate", "passthrough", ["rate"])])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    assert np.isnan(input_gradients(pipeline, frame)[:, 1]).all()


def test_chunks_are_short_where_a_step_is_wide():
    X = np.random.default_rng(0).normal(size=(30, 40))
    pipeline = make_pipeline(PolynomialFeatures(2), Ridge()).fit(X, X[:, 0])
    question, X = ask(pipeline, np.tile(X, (200, 1)))
    lengths = [rows.stop - rows.start for rows in question.chunks(X)]
    assert max(lengths) * 861 * 8 <= CHUNK_BYTES
    assert sum(lengths) == 6000


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame], ids=["array", "frame"])
@pytest.mark.parametrize("key", [1, -1])
def test_texts_at_a_position(form, key):
    texts = ["red car", "blue car", "red house", "old house", "car"]
    X = form(np.array([[float(i), text] for i, text in enumerate(texts)], dtype=object))
    columns = ColumnTransformer(
        [("age", StandardScaler(), [0]), ("text", CountVectorizer(), key)], sparse_threshold=0.0
    )
    pipeline = make_pipeline(columns, Ridge()).fit(X, np.arange(5.0))
    gradients = input_gradients(pipeline, X)
    np.testing.assert_allclose(gradients[:, 0], pipeline[-1].coef_[0] / np.sqrt(2.0), rtol=1e-12)
    assert np.isnan(gradients[:, 1]).all()
