"""The estimators within scikit-learn."""

import json
import pickle
import subprocess

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import relucert
from relucert import ReLUClassifier, ReLURegressor


@parametrize_with_checks([ReLURegressor(), ReLUClassifier()])
def test_conventions(estimator, check):
    check(estimator)


def test_alpha_is_per_sample_and_gamma_per_sum(teacher):
    x, y = teacher
    by_alpha = ReLURegressor(alpha=0.125, tolerance=0.05).fit(x, y)
    by_gamma = ReLURegressor(gamma=30.0, tolerance=0.05).fit(x, y)
    found = relucert.certify(x, y, 30.0, bias=True, method="relaxation", tolerance=0.05)
    assert by_alpha.gamma_ == by_gamma.gamma_ == 30.0
    for model in (by_alpha, by_gamma):
        assert (model.lower_bound_, model.upper_bound_, model.gap_) == (found.lower_bound, found.upper_bound, found.gap)
        assert np.array_equal(model.hidden_weights_, found.network.U)
        assert np.array_equal(model.output_weights_, found.network.V)
        assert np.array_equal(model.certificate_.W, found.certificate.W)
    assert np.array_equal(by_alpha.predict(x), found.network.predict(x))
    without = ReLURegressor(gamma=30.0, fit_intercept=False, tolerance=0.05).fit(x, y)
    assert without.hidden_weights_.shape[0] == x.shape[1] == by_gamma.hidden_weights_.shape[0] - 1


def test_classes_are_named_and_sparse_features_stay_so():
    x, labels = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[labels]
    model = ReLUClassifier(gamma=20.0, tolerance=0.05).fit(x, names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert list(model.feature_names_in_) == list(x.columns)
    assert model.score(x, names) > 0.8
    assert model.decision_function(x).shape == (150, 3)
    sparse = ReLUClassifier(gamma=20.0, tolerance=0.05).fit(sp.csr_array(x.to_numpy()), names)
    assert (sparse.predict(x.to_numpy()) == model.predict(x)).mean() > 0.95
    assert (pickle.loads(pickle.dumps(model)).predict(x) == model.predict(x)).all()


def test_targets_of_a_frame(teacher):
    x, y = teacher
    model = ReLURegressor(gamma=30.0, tolerance=0.05).fit(pd.DataFrame(x, columns=list("abcd")), pd.Series(y[:, 0]))
    assert model.predict(pd.DataFrame(x, columns=list("abcd"))).shape == (240,)


def test_what_cannot_be_fitted_is_said_in_a_sentence(teacher):
    with pytest.raises(ValueError, match="one class only"):
        ReLUClassifier().fit(teacher[0], np.zeros(240))
    with pytest.raises(ValueError, match=r"gamma = 0\.0 is out of range"):
        ReLURegressor(alpha=0.0).fit(*teacher)
    with pytest.raises(ValueError, match="method = magic"):
        ReLURegressor(method="magic").fit(*teacher)


def test_grid_search_has_the_command_lines_figures(command_line):
    """Breast cancer: for each weight decay the bounds of the command line, and the accuracy of its networks."""
    x, labels = load_breast_cancer(return_X_y=True)
    decays = [160.0, 500.0]
    model = make_pipeline(StandardScaler(), ReLUClassifier(tolerance=1e-2, effort="low"))
    search = GridSearchCV(model, {"reluclassifier__gamma": decays}, cv=StratifiedKFold(2), refit=True)
    search.fit(x, labels)
    assert len(search.cv_results_["mean_test_score"]) == 2
    assert search.best_score_ > 0.9
    for gamma in decays:
        options = ["--gamma", str(gamma), "--standardize", "--bias", "--method", "relaxation", "--tolerance", "1e-2"]
        run = [command_line, "certify", "breast-cancer", *options, "--effort", "low", "--quiet", "--json"]
        told = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
        fitted = clone(model).set_params(reluclassifier__gamma=gamma).fit(x, labels)[-1]
        # scikit-learn standardises in another order of summation: equal to rounding, as the solver passes it on.
        assert fitted.upper_bound_ == pytest.approx(told["upper_bound"], rel=1e-6)
        assert fitted.lower_bound_ == pytest.approx(told["lower_bound"], rel=1e-2)
        assert fitted.lower_bound_ <= told["upper_bound"]
        assert told["lower_bound"] <= fitted.upper_bound_
    best = search.best_estimator_[-1]
    assert best.gamma_ == search.best_params_["reluclassifier__gamma"]
