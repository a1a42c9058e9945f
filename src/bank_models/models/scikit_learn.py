"""Table of further scikit-learn estimators that a model file may name.

Left out is what answers no probabilities, takes other estimators, or is followed by compiled code whose arrays nothing checks
before it reads a saved model: support vector machines, neighbours, Gaussian processes. An extension may declare those.
"""

from __future__ import annotations

from dataclasses import replace

from bank_models.models.algorithm import FOR_TREES, Algorithm

FOREST = Algorithm(
    "sklearn.ensemble",
    is_threaded=True,
    scores_in_one_thread=True,
    median={"criterion": "absolute_error"},
    monotone="monotonic_cst",
    takes_missing=True,
    preprocessing=FOR_TREES,
)
TREE = Algorithm(
    "sklearn.tree",
    median={"criterion": "absolute_error"},
    monotone="monotonic_cst",
    takes_missing=True,
    preprocessing=FOR_TREES,
)
BOOSTED = Algorithm("sklearn.ensemble", preprocessing=FOR_TREES)
BAGGED = replace(BOOSTED, is_threaded=True, scores_in_one_thread=True, takes_missing=True)
LINEAR = Algorithm("sklearn.linear_model", is_random=False)
DRAWN = replace(LINEAR, is_random=True)
UNWEIGHTED = replace(LINEAR, takes_weights=False, takes_sparse=False)
DISCRIMINANT = Algorithm("sklearn.discriminant_analysis", is_random=False, takes_weights=False, takes_sparse=False)
BAYES = Algorithm("sklearn.naive_bayes", is_random=False)
MIXTURE = Algorithm("sklearn.mixture", takes_weights=False, takes_sparse=False)
NETWORK = Algorithm("sklearn.neural_network")
SKLEARN: dict[str, tuple[Algorithm, tuple[str, ...]]] = {  # and the classes of a fitted one
    "AdaBoostClassifier": (BOOSTED, ("ensemble._weight_boosting.AdaBoostClassifier",)),
    "AdaBoostRegressor": (BOOSTED, ("ensemble._weight_boosting.AdaBoostRegressor",)),
    "ARDRegression": (UNWEIGHTED, ("linear_model._bayes.ARDRegression",)),
    "BaggingClassifier": (BAGGED, ("ensemble._bagging.BaggingClassifier",)),
    "BaggingRegressor": (BAGGED, ("ensemble._bagging.BaggingRegressor",)),
    "BayesianGaussianMixture": (MIXTURE, ("mixture._bayesian_mixture.BayesianGaussianMixture",)),
    "BayesianRidge": (replace(LINEAR, takes_sparse=False), ("linear_model._bayes.BayesianRidge",)),
    "BernoulliNB": (BAYES, ("naive_bayes.BernoulliNB",)),
    "DecisionTreeClassifier": (TREE, ()),
    "DecisionTreeRegressor": (TREE, ()),
    "ElasticNet": (DRAWN, ("linear_model._coordinate_descent.ElasticNet",)),
    "ExtraTreeClassifier": (TREE, ("tree._classes.ExtraTreeClassifier",)),
    "ExtraTreeRegressor": (TREE, ("tree._classes.ExtraTreeRegressor",)),
    "ExtraTreesClassifier": (FOREST, ("ensemble._forest.ExtraTreesClassifier", "tree._classes.ExtraTreeClassifier")),
    "ExtraTreesRegressor": (FOREST, ("ensemble._forest.ExtraTreesRegressor", "tree._classes.ExtraTreeRegressor")),
    "GammaRegressor": (
        LINEAR,
        (
            "linear_model._glm.glm.GammaRegressor",
            "_loss._loss.CyHalfGammaLoss",
            "_loss.link.LogLink",
            "_loss.loss.HalfGammaLoss",
        ),
    ),
    "GaussianMixture": (MIXTURE, ("mixture._gaussian_mixture.GaussianMixture",)),
    "GaussianNB": (replace(BAYES, takes_sparse=False), ("naive_bayes.GaussianNB",)),
    "HuberRegressor": (LINEAR, ("linear_model._huber.HuberRegressor",)),
    "Lars": (replace(UNWEIGHTED, is_random=True), ("linear_model._least_angle.Lars",)),
    "Lasso": (DRAWN, ("linear_model._coordinate_descent.Lasso",)),
    "LassoLars": (replace(UNWEIGHTED, is_random=True), ("linear_model._least_angle.LassoLars",)),
    "LinearDiscriminantAnalysis": (DISCRIMINANT, ("discriminant_analysis.LinearDiscriminantAnalysis",)),
    "LinearSVR": (Algorithm("sklearn.svm"), ("svm._classes.LinearSVR",)),
    "MLPClassifier": (
        NETWORK,
        (
            "neural_network._multilayer_perceptron.MLPClassifier",
            "neural_network._stochastic_optimizers.AdamOptimizer",
            "neural_network._stochastic_optimizers.SGDOptimizer",
            "preprocessing._label.LabelBinarizer",
        ),
    ),
    "MLPRegressor": (
        NETWORK,
        (
            "neural_network._multilayer_perceptron.MLPRegressor",
            "neural_network._stochastic_optimizers.AdamOptimizer",
            "neural_network._stochastic_optimizers.SGDOptimizer",
        ),
    ),
    "OrthogonalMatchingPursuit": (UNWEIGHTED, ("linear_model._omp.OrthogonalMatchingPursuit",)),
    "PoissonRegressor": (
        LINEAR,
        (
            "linear_model._glm.glm.PoissonRegressor",
            "_loss._loss.CyHalfPoissonLoss",
            "_loss.link.LogLink",
            "_loss.loss.HalfPoissonLoss",
        ),
    ),
    "QuadraticDiscriminantAnalysis": (DISCRIMINANT, ("discriminant_analysis.QuadraticDiscriminantAnalysis",)),
    "SGDRegressor": (DRAWN, ("linear_model._stochastic_gradient.SGDRegressor",)),
    "TheilSenRegressor": (
        replace(UNWEIGHTED, is_threaded=True, is_random=True),
        ("linear_model._theil_sen.TheilSenRegressor",),
    ),
}
SCIKIT_LEARN: dict[str, Algorithm] = {
    name: replace(algorithm, types=tuple(f"sklearn.{one}" for one in types)) for name, (algorithm, types) in SKLEARN.items()
}
