import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score, average_precision_score, silhouette_score
from sklearn.metrics import calinski_harabasz_score as calinski_harabasz
from sklearn.metrics import davies_bouldin_score as davies_bouldin

from bank_models.errors import DataError
from bank_models.files import folders
from bank_models.metrics.clusters import clustering_metrics, profiles, sampled_silhouette, stability
from bank_models.models.clustering.density import choose_eps, knee
from bank_models.models.clustering.estimators import DBSCANClustering, HierarchicalClustering, KMeansClustering
from bank_models.models.clustering.linkage import weighted_merges
from bank_models.runs import model_file

ESTIMATORS = [KMeansClustering, DBSCANClustering, HierarchicalClustering]
TRUSTED = [f"bank_models.models.clustering.estimators.{estimator.__name__}" for estimator in ESTIMATORS]
CORNERS = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])


def blobs(sizes, stds, n_columns=2, seed=0):
    centres = np.hstack([CORNERS, np.zeros((4, n_columns - 2))])[: len(sizes)]
    return make_blobs(list(sizes), n_columns, centers=centres, cluster_std=list(stds), random_state=seed)


def rectangle(n_rows, n_columns=2, seed=0):
    return np.random.default_rng(seed).uniform(size=(n_rows, n_columns))


# ---- all of them


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("n_clusters", [2, 3, 4])
def test_blobs_are_found_without_being_told_how_many(estimator, n_clusters):
    X, truth = blobs([150] * n_clusters, [1.0] * n_clusters)
    model = estimator().fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.9
    assert model.labels_.max() + 1 == n_clusters


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clusters_of_unequal_size_and_density_are_found(estimator):
    X, truth = blobs([900, 150, 60], [1.0, 0.5, 0.7])
    labels = estimator().fit_predict(X)
    is_clustered = labels >= 0  # the thin rim of the wide cluster is noise to DBSCAN's one radius
    assert is_clustered.mean() > 0.9
    assert adjusted_rand_score(truth[is_clustered], labels[is_clustered]) > 0.95


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_cluster_0_is_the_largest_and_none_is_larger_than_the_one_before(estimator):
    X, _ = blobs([60, 900, 150], [0.7, 1.0, 0.5])
    labels = estimator().fit(X).labels_
    sizes = np.bincount(labels[labels >= 0])
    assert np.all(np.diff(sizes) <= 0)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rows_of_the_training_table_get_the_labels_they_were_given(estimator):
    X = rectangle(600, 3)
    model = estimator()
    labels = model.fit_predict(X)
    np.testing.assert_array_equal(model.labels_, labels)
    np.testing.assert_array_equal(model.predict(X), labels)


@pytest.mark.parametrize(
    "estimator",
    [
        KMeansClustering(max_clusters=4),
        DBSCANClustering(max_core_points=300),
        HierarchicalClustering(max_clusters=4, max_rows=400),
    ],
)
def test_the_same_seed_gives_the_same_labels_and_order_of_rows_does_not_matter_to_a_prediction(estimator):
    X, _ = blobs([900, 150, 60], [1.0, 0.5, 0.7])
    one, other = clone(estimator).fit(X), clone(estimator).fit(X.copy())
    np.testing.assert_array_equal(one.labels_, other.labels_)
    np.testing.assert_array_equal(one.predict(X[::-1]), one.predict(X)[::-1])
    np.testing.assert_array_equal([one.predict(row[None])[0] for row in X[:20]], one.predict(X[:20]))


@pytest.mark.parametrize("n_columns", [2, 20], ids=["tree", "brute_force"])
@pytest.mark.parametrize("estimator", [*ESTIMATORS, lambda: HierarchicalClustering(max_rows=200)])
def test_a_saved_model_predicts_bit_for_bit_what_it_did(tmp_path, monkeypatch, estimator, n_columns):
    monkeypatch.setattr(model_file, "TRUSTED", [*model_file.TRUSTED, *TRUSTED])
    X, _ = blobs([300, 100], [1.0, 0.5], n_columns)
    model = estimator().fit(X)
    with folders.published(tmp_path / "run") as folder:
        model_file.dump(folder / "model.skops", model)
    loaded = model_file.load(tmp_path / "run")
    new = X + 0.3
    np.testing.assert_array_equal(loaded.predict(new), model.predict(new))
    if isinstance(model, DBSCANClustering):
        assert loaded.score_samples(new).tobytes() == model.score_samples(new).tobytes()


@pytest.mark.parametrize("estimator", [KMeansClustering(n_clusters=5), HierarchicalClustering(n_clusters=5)])
def test_more_clusters_than_distinct_rows_are_refused(estimator):
    X = np.repeat(CORNERS, 10, axis=0)
    with pytest.raises(DataError, match="5 clusters need at least as many distinct rows, but there are 4"):
        estimator.fit(X)


@pytest.mark.parametrize("estimator", [KMeansClustering, HierarchicalClustering])
def test_four_piles_of_equal_rows_are_four_clusters(estimator):
    assert estimator().fit(np.repeat(CORNERS, 10, axis=0)).n_clusters_ == 4


@pytest.mark.parametrize("estimator", [KMeansClustering, HierarchicalClustering])
def test_the_chosen_number_has_the_highest_silhouette(estimator):
    X, _ = blobs([150] * 3, [1.0] * 3)
    model = estimator(max_clusters=5).fit(X)
    by_hand = {str(n): silhouette_score(X, estimator(n_clusters=n).fit_predict(X)) for n in range(2, 6)}
    assert model.silhouettes_ == pytest.approx(by_hand)
    assert str(model.n_clusters_) == max(by_hand, key=by_hand.get)


# ---- k-means


def test_k_means_on_a_table_that_fits_the_sample_is_scikit_learns():
    X = rectangle(500, 3)
    expected = KMeans(5, n_init=10, random_state=7).fit(X)
    found = KMeansClustering(5, random_state=7).fit(X)
    np.testing.assert_allclose(np.sort(found.cluster_centers_, axis=0), np.sort(expected.cluster_centers_, axis=0))
    assert adjusted_rand_score(found.labels_, expected.labels_) == 1


def test_k_means_beyond_the_sample_is_a_fixed_point_over_all_rows(monkeypatch):
    monkeypatch.setattr("bank_models.models.clustering.estimators.MAX_ROWS", 600)
    X, truth = blobs([1200, 1000, 800], [1.0, 1.5, 0.5])
    model = KMeansClustering(max_clusters=4).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.99
    means = [X[model.labels_ == label].mean(axis=0) for label in range(model.n_clusters_)]
    np.testing.assert_allclose(model.cluster_centers_, means, atol=0.01)  # it stops when centres move this little


# ---- DBSCAN


def test_two_moons_are_two_clusters_to_dbscan_and_not_to_k_means():
    X, truth = make_moons(600, noise=0.05, random_state=0)
    dbscan, kmeans = DBSCANClustering().fit_predict(X), KMeansClustering(2).fit_predict(X)
    assert adjusted_rand_score(truth, dbscan) > 0.95 > 0.6 > adjusted_rand_score(truth, kmeans)


def test_knee_of_a_case_worked_by_hand():
    # The chord runs from (0, 1) to (1, 9). Below it lie 1.0 - 1, 2.6 - 1, 4.2 - 2, 5.8 - 3, 7.4 - 6 and 0: most at 3.
    assert knee(np.array([1.0, 1.0, 2.0, 3.0, 6.0, 9.0])) == 3.0
    assert knee(np.array([6.0, 9.0, 1.0, 2.0, 3.0, 1.0])) == 3.0


def test_the_knee_of_a_curve_that_does_not_bend_upwards_is_its_end():
    assert knee(np.array([1.0, 2.0, 3.0])) == 3.0
    assert knee(np.array([1.0, 5.0, 6.0])) == 6.0
    assert knee(np.array([2.0, 2.0])) == 2.0


def test_eps_of_a_case_worked_by_hand_is_the_knee_or_the_fence():
    assert choose_eps(np.array([0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 6.0, 9.0])) == 3.0  # quartiles 1.25 and 5.25: fence 11.25
    # One row far off: the chord hardly rises before it, so the knee is at 9. Quartiles 1.5 and 7.5: fence 16.5.
    assert choose_eps(np.array([1.0, 1.0, 2.0, 3.0, 6.0, 9.0, 9999.0])) == 9.0
    # Two rows apart, one of them far: the knee is at 40. Quartiles 1 and 2: fence 3.5.
    assert choose_eps(np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 40.0, 9999.0])) == 3.5


def test_eps_is_the_distance_that_a_grid_keeps_and_an_outlier_does_not():
    grid = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), axis=-1).reshape(-1, 2)
    X = np.vstack([grid, [[30.0, 30.0]]])
    model = DBSCANClustering(min_samples=3).fit(X)  # itself and the two nearest: 1 everywhere but at the outlier
    assert model.eps_ == 1.0
    np.testing.assert_array_equal(model.labels_, [0] * 100 + [-1])


@pytest.mark.parametrize("n_columns", [2, 5, 20])
@pytest.mark.parametrize("quantile", [0.05, 0.3, 0.7, 0.95])
def test_dbscan_is_scikit_learns_at_the_same_eps(n_columns, quantile):
    X, _ = blobs([300, 150, 100], [1.0, 2.0, 0.5], n_columns)
    X = np.vstack([X, X[:40]])  # equal rows
    k_distance = np.sort(np.linalg.norm(X[:, None] - X, axis=2), axis=1)[:, 4]
    eps = float(np.quantile(k_distance, quantile)) * 1.001
    expected = DBSCAN(eps=eps, min_samples=5).fit(X)
    model = DBSCANClustering(eps=eps, min_samples=5).fit(X)
    core = expected.core_sample_indices_
    assert adjusted_rand_score(expected.labels_[core], model.labels_[core]) == 1
    np.testing.assert_array_equal(expected.labels_ == -1, model.labels_ == -1)
    np.testing.assert_array_equal(np.unique(X[core], axis=0), np.unique(model.components_, axis=0))
    apart = np.linalg.norm(X[:, None] - X[core], axis=2)
    nearest = np.where(apart.min(axis=1) <= eps, model.labels_[core][apart.argmin(axis=1)], -1)
    np.testing.assert_array_equal(model.labels_, nearest)


def test_clusters_far_larger_than_their_neighbourhoods_are_joined_through_missing_steps(monkeypatch):
    monkeypatch.setattr("bank_models.models.clustering.density.MAX_PAIRS", 2_000)  # many small batches
    line = np.arange(500.0)
    X = np.concatenate([line, [500.4], 1000 + line])[:, None] * [1.0, 0.0]
    X = np.vstack([X, X + np.array([0.0, 0.01])])  # each point's nearest neighbour is its twin
    model = DBSCANClustering(eps=1.45, min_samples=2).fit(X)
    np.testing.assert_array_equal(np.bincount(model.labels_), [1002, 1000])


def test_min_samples_follow_the_columns_and_the_logarithm_of_the_rows():
    assert DBSCANClustering().fit(rectangle(100, 2)).min_samples_ == 14  # 3 ln 100 = 13.8
    assert DBSCANClustering().fit(rectangle(100, 10)).min_samples_ == 20
    assert DBSCANClustering().fit(rectangle(100, 30)).min_samples_ == 50


def test_equal_rows_count_as_many():
    X = np.array([[0.0, 0.0]] * 5 + [[1.0, 0.0]] * 2 + [[9.0, 9.0]] * 4)
    model = DBSCANClustering(eps=0.5, min_samples=4).fit(X)
    np.testing.assert_array_equal(model.labels_, [0] * 5 + [-1] * 2 + [1] * 4)


def test_a_new_row_is_scored_by_its_distance_to_the_nearest_core_row_in_eps():
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    model = DBSCANClustering(eps=1.0, min_samples=3).fit(X)  # 1 and 2 are core
    np.testing.assert_array_equal(model.components_, [[1.0], [2.0]])
    new = np.array([[1.0], [1.5], [3.0], [3.25], [12.0]])
    np.testing.assert_array_equal(model.score_samples(new), [0.0, 0.5, 1.0, 1.25, 10.0])
    np.testing.assert_array_equal(model.predict(new), [0, 0, 0, -1, -1])


@pytest.mark.parametrize("farthest", [1, 1000], ids=["", "one_of_them_extreme"])
def test_planted_outliers_are_ranked_first(farthest):
    X, _ = blobs([1500, 500], [1.0, 0.6], 6)
    X = np.vstack([X, np.random.default_rng(0).uniform(-6, 16, (40, 6))])
    is_planted = np.arange(len(X)) >= 2000  # 2 % of the rows
    X[-1] *= farthest
    model = DBSCANClustering().fit(X)
    assert average_precision_score(is_planted, model.score_samples(X)) > 0.9
    assert np.all((model.score_samples(X) > 1) == (model.labels_ == -1))


def test_fewer_core_rows_than_asked_for_raise_scores_and_forget_no_cluster():
    X, _ = blobs([900, 150, 60], [1.0, 0.5, 0.7])
    whole, few = DBSCANClustering().fit(X), DBSCANClustering(max_core_points=100).fit(X)
    assert len(few.components_) <= 100 + few.component_labels_.max()
    assert set(few.component_labels_) == set(whole.component_labels_)
    np.testing.assert_array_equal(few.labels_, whole.labels_)
    assert np.all(few.score_samples(X) >= whole.score_samples(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"eps": 1e-6}, r"No row has min_samples=16 rows within eps=1e-06"),
        ({"min_samples": 1000}, r"There are 200 rows, fewer than min_samples=1000"),
    ],
)
def test_settings_under_which_nothing_is_dense_are_refused(params, message):
    model = DBSCANClustering(**params)
    X = rectangle(200)
    with pytest.raises(DataError, match=message):
        model.fit(X)


def test_piles_of_equal_rows_teach_no_distance():
    X = np.repeat(CORNERS, 10, axis=0)
    model = DBSCANClustering(min_samples=5)
    with pytest.raises(DataError, match="no distance to learn eps from"):
        model.fit(X)


# ---- hierarchical


@pytest.mark.parametrize("linkage", ["ward", "complete", "average", "single"])
def test_hierarchical_is_scikit_learns_below_the_limit_of_rows(linkage):
    X, _ = blobs([100, 80, 60], [2.0] * 3, 4)
    for n_clusters in (2, 5, 17):
        expected = AgglomerativeClustering(n_clusters, linkage=linkage).fit_predict(X)
        assert adjusted_rand_score(expected, HierarchicalClustering(n_clusters, linkage).fit_predict(X)) == 1


def groups_after(merges, n_clusters):
    """Union by hand, so that no code of the module is used."""
    group = np.arange(len(merges) + 1)
    for a, b in merges[: len(group) - n_clusters]:
        group[group == group[a]] = group[b]
    return group


@pytest.mark.parametrize("linkage", ["ward", "complete", "average", "single"])
def test_weighted_points_are_merged_as_that_many_equal_rows(linkage):
    rng = np.random.default_rng(1)
    points, weights = rng.normal(size=(60, 3)), rng.integers(1, 9, 60)
    merges = weighted_merges(points, weights, linkage)
    for n_clusters in (2, 3, 6, 20, 60):
        repeated = AgglomerativeClustering(n_clusters, linkage=linkage).fit_predict(np.repeat(points, weights, axis=0))
        assert adjusted_rand_score(repeated, np.repeat(groups_after(merges, n_clusters), weights)) == 1


def test_compressed_and_direct_clustering_agree_on_clear_clusters():
    X, truth = blobs([1500, 400, 100], [1.0, 0.5, 0.7])
    model = HierarchicalClustering(max_rows=500).fit(X)
    assert len(model.representatives_) <= 500
    assert adjusted_rand_score(truth, model.labels_) > 0.99
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_the_nearest_row_follows_bent_clusters_where_the_nearest_centroid_does_not():
    X, truth = make_moons(600, noise=0.03, random_state=0)
    new, truth_of_new = make_moons(600, noise=0.03, random_state=1)
    model = HierarchicalClustering(2, linkage="single").fit(X)
    assert adjusted_rand_score(truth, model.labels_) == 1
    assert adjusted_rand_score(truth_of_new, model.predict(new)) > 0.98
    by_centroid = np.linalg.norm(new[:, None] - model.cluster_centers_, axis=2).argmin(axis=1)
    assert adjusted_rand_score(truth_of_new, by_centroid) < 0.6


# ---- metrics


def test_metrics_are_scikit_learns_on_the_rows_that_are_no_noise():
    X, truth = blobs([100, 60, 40], [3.0] * 3)
    labels = np.where(np.arange(len(X)) % 10 == 0, -1, truth)
    kept = labels >= 0
    assert clustering_metrics(X, labels, seed=0) == pytest.approx(
        {
            "silhouette": silhouette_score(X[kept], labels[kept]),
            "davies_bouldin": davies_bouldin(X[kept], labels[kept]),
            "calinski_harabasz": calinski_harabasz(X[kept], labels[kept]),
            "n_clusters": 3,
            "noise_rate": 0.1,
        }
    )


@pytest.mark.parametrize(
    ("labels", "n_clusters", "noise_rate"),
    [([-1] * 6, 0, 1.0), ([0] * 6, 1, 0.0), ([0, 0, 0, 0, -1, -1], 1, 1 / 3), ([0, 1, 2, 3, 4, 5], 6, 0.0)],
    ids=["all_noise", "one_cluster", "one_cluster_and_noise", "every_row_alone"],
)
def test_metrics_that_do_not_exist_are_left_out(labels, n_clusters, noise_rate):
    X = np.arange(12.0).reshape(6, 2)
    assert clustering_metrics(X, np.array(labels), seed=0) == {
        "n_clusters": n_clusters,
        "noise_rate": pytest.approx(noise_rate),
    }


def test_the_silhouette_of_a_sample_is_close_to_that_of_all_rows_and_depends_on_the_seed_alone(monkeypatch):
    monkeypatch.setattr("bank_models.metrics.clusters.MAX_ROWS", 1000)
    X, truth = blobs([1500, 1000, 300], [2.0] * 3)
    sampled = sampled_silhouette(X, truth, seed=1)
    assert sampled == pytest.approx(silhouette_score(X, truth), abs=0.03)
    assert sampled == sampled_silhouette(X, truth, seed=1) != sampled_silhouette(X, truth, seed=2)


def k_means(n_clusters):
    return lambda X, X_new, seed: KMeansClustering(n_clusters, random_state=seed).fit(X).predict(X_new)


def test_clear_blobs_are_stable_and_cuts_through_noise_are_not():
    X, _ = blobs([150] * 4, [1.0] * 4)
    assert stability(k_means(4), X, seed=0, n_bootstraps=5) > 0.98
    assert stability(k_means(7), rectangle(600, 8), seed=0, n_bootstraps=5) < 0.5


def test_labels_drawn_by_chance_have_stability_0_and_one_cluster_has_1():
    X = rectangle(2000)
    assert abs(stability(lambda X, X_new, seed: np.random.default_rng(seed).integers(0, 3, len(X_new)), X, seed=0)) < 0.02
    assert stability(lambda X, X_new, seed: np.zeros(len(X_new)), X, seed=0) == 1


def test_models_never_label_a_row_they_were_fitted_on():
    seen = []

    def recorded(X, X_new, seed):
        seen.append((set(X[:, 0]), tuple(X_new[:, 0])))
        return np.zeros(len(X_new))

    stability(recorded, np.arange(200.0)[:, None], seed=0, n_bootstraps=3)
    for one, other in zip(seen[::2], seen[1::2], strict=True):
        assert one[1] == other[1]
        assert not (one[0] | other[0]) & set(one[1])


def test_some_row_is_held_back_however_few_there_are():
    held = []
    stability(lambda X, X_new, seed: held.append(len(X_new)) or np.zeros(len(X_new)), rectangle(20), seed=0, n_bootstraps=200)
    assert min(held) >= 2


def test_stability_of_a_handful_of_rows_is_refused():
    X = rectangle(19)
    with pytest.raises(DataError, match="needs at least 20 rows, but there are 19"):
        stability(k_means(2), X, seed=0)


def test_profiles_of_a_table_worked_by_hand():
    frame = pd.DataFrame(
        {
            "balance_eur": [1.0, 3.0, 2.0, 6.0],
            "is_active": [True, True, False, False],
            "segment": pd.Categorical(["mass", "mass", "mass", "private"], categories=["mass", "affluent", "private"]),
        }
    )
    table = profiles(frame, np.array([0, 0, 0, 1]))
    sd = np.sqrt((4 + 0 + 1 + 9) / 4)  # around the mean of 3
    expected = pd.DataFrame(
        {
            "cluster": [0, 1],
            "size": [3, 1],
            "share": [0.75, 0.25],
            "balance_eur_mean": [2.0, 6.0],
            "balance_eur_median": [2.0, 6.0],
            "balance_eur_difference_in_sd": [-1 / sd, 3 / sd],
            "is_active_mean": [2 / 3, 0.0],
            "is_active_median": [1.0, 0.0],
            "is_active_difference_in_sd": [(2 / 3 - 0.5) / 0.5, -1.0],
            "segment_most_common": ["mass", "private"],
            "segment_most_common_share": [1.0, 1.0],
            "segment_lift": [4 / 3, 4.0],
        }
    )
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_profiles_pass_over_missing_values_and_describe_noise():
    frame = pd.DataFrame({"income_eur": [np.nan, 2.0, 4.0, np.nan], "segment": ["a", None, "b", None], "constant": [5] * 4})
    table = profiles(frame, np.array([0, 0, 0, -1])).set_index("cluster")
    assert list(table.index) == [-1, 0]
    assert table.loc[0, ["income_eur_mean", "segment_most_common", "segment_lift"]].tolist() == [3.0, "a", 1.0]
    assert table.loc[-1, ["income_eur_mean", "segment_most_common", "segment_lift"]].isna().all()
    assert table["constant_difference_in_sd"].tolist() == [0.0, 0.0]


def test_a_clustering_that_finds_only_noise_ends_well_and_says_so(train):
    result = train("use_case=risk_parity", "model=dbscan", "model.params.eps=2.0", "model.params.min_samples=5")
    assert result.returncode == 0, result.stderr
    assert "silhouette is not defined" in result.stdout
