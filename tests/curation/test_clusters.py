import numpy as np
import pytest

from curation.clusters import assign, connected, find_clusters, first_centroids, merge_near, mix_bits, spherical_kmeans


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def blobs(sizes: list[int], width: int = 32, spread: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors about random directions, and which one each belongs to; mixed."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((len(sizes), width)))
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return unit(centres[truth] + spread * rng.standard_normal((len(truth), width))), truth


def draws_of(num: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 2**64, num, dtype=np.uint64)


def same_partition(labels: np.ndarray, truth: np.ndarray) -> bool:
    return (
        len({*zip(labels.tolist(), truth.tolist(), strict=True)}) == len({*labels.tolist()}) == len({*truth.tolist()})
    )


class TestFindClusters:
    def test_known_clusters_are_found_largest_first(self):
        vectors, truth = blobs([500, 200, 100, 50, 20, 5], spread=0.001)
        labels = find_clusters(vectors, draws_of(len(vectors)), 6, 0.95)
        np.testing.assert_array_equal(labels, truth)

    def test_more_centroids_than_clusters_are_merged(self):
        vectors, truth = blobs([500, 200, 100, 50, 20, 5])
        split = find_clusters(vectors, draws_of(len(vectors)), 30, 1.0)
        assert split.max() == 29
        np.testing.assert_array_equal(find_clusters(vectors, draws_of(len(vectors)), 30, 0.8), truth)

    @pytest.mark.parametrize("seed", range(5))
    def test_a_rare_concept_is_one_although_the_common_ones_are_wide(self, seed):
        """With the chances of k-means++ (CONTRAST 1) the 12 are found in none of these five."""
        vectors, truth = blobs([8000, 4000, 2000, 300, 12], spread=0.06, seed=seed)
        labels = find_clusters(vectors, draws_of(len(vectors)), 10, 0.8)
        assert same_partition(labels, truth)

    def test_the_same_with_one_thread_and_two(self):
        faiss = pytest.importorskip("faiss")
        rng = np.random.default_rng(1)
        vectors = unit(rng.standard_normal((40_000, 48)))  # no clusters: the last bit decides at many a border
        draws = draws_of(len(vectors))
        before = faiss.omp_get_max_threads()
        one, two = (find_clusters(vectors, draws, 50, 0.95, threads) for threads in (1, 2))
        np.testing.assert_array_equal(one, two)
        assert faiss.omp_get_max_threads() == before  # the caller's own setting stays

    def test_copies_of_few_vectors_are_so_many_clusters(self):
        vectors = np.repeat(np.eye(3, 8, dtype=np.float32), [5, 3, 2], axis=0)
        assert find_clusters(vectors, draws_of(10), 7, 0.95).tolist() == [0] * 5 + [1] * 3 + [2] * 2

    def test_no_clip_no_cluster(self):
        assert not len(find_clusters(np.zeros((0, 8), np.float32), draws_of(0), 1, 0.9))


def test_kmeans_loses_nothing_against_faiss():
    """On vectors without clusters, where no answer is exact: mean cosine to the centroid, as faiss's own k-means has it."""
    faiss = pytest.importorskip("faiss")
    vectors = unit(np.random.default_rng(3).standard_normal((5000, 16)))
    reference = faiss.Kmeans(16, 40, niter=20, spherical=True, seed=1)
    reference.train(vectors)
    theirs = (vectors @ reference.centroids.T).max(1).mean()
    centroids = spherical_kmeans(vectors, draws_of(5000), 40)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    assert (vectors @ centroids.T).max(1).mean() > theirs - 0.005


def test_assign_is_the_highest_cosine():
    rng = np.random.default_rng(4)
    vectors, centroids = unit(rng.standard_normal((20_000, 24))), unit(rng.standard_normal((30, 24)))
    np.testing.assert_array_equal(assign(vectors, centroids, 2), (vectors.astype(float) @ centroids.T).argmax(1))


def test_first_centroids_are_one_a_cluster_and_hardly_move_with_more_points():
    vectors, truth = blobs([300, 31, 30, 3], spread=0.001, seed=5)
    draws = draws_of(len(vectors))
    before = first_centroids(vectors, draws, 4)
    assert sorted(truth[(vectors[:, None] == before).all(2).any(1)]) == [0, 1, 2, 3]
    few = np.flatnonzero(np.arange(len(vectors)) % 20)  # a twentieth is not there yet
    again = first_centroids(vectors[few], draws[few], 4)
    assert (again[:, None] == before).all(2).any(1).sum() >= 2


class TestMerging:
    def test_near_ones_by_way_of_a_third(self):
        angles = np.radians([0, 10, 20, 90, 180])
        centroids = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        assert merge_near(centroids, np.cos(np.radians(11))).tolist() == [0, 0, 0, 3, 4]
        assert merge_near(centroids, np.cos(np.radians(9))).tolist() == [0, 1, 2, 3, 4]

    def test_connected_is_scipys(self):
        sparse = pytest.importorskip("scipy.sparse")
        pairs = np.random.default_rng(6).integers(0, 300, (140, 2))
        graph = sparse.coo_array((np.ones(140), pairs.T), (300, 300))
        _, labels = sparse.csgraph.connected_components(graph, directed=False)
        assert same_partition(connected(300, map(tuple, pairs.tolist())), labels)


def test_mixed_bits_are_a_permutation_that_spreads_evenly():
    mixed = mix_bits(np.arange(100_000, dtype=np.uint64), 7)
    assert len(np.unique(mixed)) == 100_000
    counts = np.bincount((mixed >> np.uint64(58)).astype(int), minlength=64)
    assert abs(counts / (100_000 / 64) - 1).max() < 0.12  # five sigma
