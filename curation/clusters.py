"""Which clips are of one kind: spherical k-means over their embeddings, near clusters merged [S §3.2.1].

The same clips give the same clusters, whatever their order and however many threads work. BLAS rounds otherwise with another number of
threads, and k-means turns a last bit into another cluster: so products are made in blocks of a fixed size, each by one thread, and
sums are taken in the order of the rows. Chance comes from a number of each clip's own, so that a few more clips change little.

Axes: N clips, K clusters, D numbers of an embedding. Vectors have unit length.
"""

from collections.abc import Callable, Iterable

import numpy as np

SAMPLE_PER_CLUSTER, MIN_SAMPLE = 256, 65536
"""Clips a cluster that k-means looks at (faiss's own limit, `max_points_per_centroid`), and the least in all. Every clip is assigned in the
end."""

SEEDS_PER_CLUSTER, MIN_SEEDS = 64, 16384
"""Clips a cluster among which the first centroids are drawn, and the least in all; our decision. Their cost grows with the square of K. A
concept of less than a twentieth of the clips of an average cluster has few among them and may be missed."""

CONTRAST = 3
"""Power of the squared distance in the draw of the first centroids; our decision. k-means++ has 1, and then misses concepts of few clips,
which are those that the balance is for: 12 clips among 14,000 in 8 of 8 trials, in none with 3 (a test has five of them)."""

MAX_ROUNDS = 20
"""Rounds of k-means at most; our decision (faiss: 25). It ends before when no clip changes its cluster."""

BLOCK = 16384
"""Rows of a block. Part of the result: rows at other places in a block may round otherwise."""

SAME = 1e-6
"""1 - cosine below which two vectors are the same one but for rounding."""


def find_clusters(
    vectors: np.ndarray, draws: np.ndarray, num_clusters: int, merge_cosine: float, num_threads: int = 1
) -> np.ndarray:
    """(N,) int64: the cluster of each clip, 0 the largest. `draws` are (N,) uint64, each clip's own random number.

    Clusters whose centroids are as near as `merge_cosine` are one, also by way of a third; fewer than `num_clusters` come back also
    where there are fewer different vectors. Rows must be in an order that the clips themselves give, such as that of their ids.
    """
    if not len(vectors):
        return np.zeros(0, np.int64)
    sample = vectors[np.argsort(draws, kind="stable")[: max(MIN_SAMPLE, SAMPLE_PER_CLUSTER * num_clusters)]]
    centroids = spherical_kmeans(sample, np.sort(draws)[: len(sample)], num_clusters, num_threads)
    groups = merge_near(centroids, merge_cosine, num_threads)
    return largest_first(groups[assign(vectors, centroids, num_threads)])


def spherical_kmeans(points: np.ndarray, draws: np.ndarray, num_clusters: int, num_threads: int = 1) -> np.ndarray:
    """(K, D) float32 centroids of unit length; the nearest is the one of the highest cosine."""
    num_seeds = max(MIN_SEEDS, SEEDS_PER_CLUSTER * num_clusters)
    centroids = first_centroids(points[:num_seeds], draws[:num_seeds], num_clusters)
    labels = None
    for _ in range(MAX_ROUNDS):
        found = assign(points, centroids, num_threads)
        if labels is not None and np.array_equal(found, labels):
            break
        labels = found
        centroids = _mean_directions(points, labels, centroids)
    return centroids


def first_centroids(points: np.ndarray, draws: np.ndarray, num_clusters: int) -> np.ndarray:
    """Points to start from, drawn as k-means++ does: each with a chance that grows with its squared distance to those before.

    The draw is a race: a point arrives after an exponential time of the rate of its chance, the first one wins. A point more in the
    set then changes the winner only where it wins itself.
    """
    distances = np.ones(len(points), np.float64)  # half the squared one to the nearest so far
    chosen: list[int] = []
    for step in range(num_clusters):
        winner = int(np.argmax(distances**CONTRAST / -np.log(_uniform(draws, step))))
        if distances[winner] < SAME:  # all that is left is a copy of what was chosen
            break
        chosen.append(winner)
        distances = np.minimum(distances, 1.0 - np.vecdot(points, points[winner]))
        distances[distances < SAME] = 0.0
    return points[chosen]


def assign(vectors: np.ndarray, centroids: np.ndarray, num_threads: int = 1) -> np.ndarray:
    """(N,) int64: the centroid of the highest cosine to each vector."""
    index = _flat_index(centroids)
    labels = np.empty(len(vectors), np.int64)

    def fill(start: int) -> None:
        rows = slice(start, start + BLOCK)
        labels[rows] = index.search(vectors[rows], 1)[1][:, 0]

    _in_threads(fill, range(0, len(vectors), BLOCK), num_threads)
    return labels


def merge_near(centroids: np.ndarray, merge_cosine: float, num_threads: int = 1) -> np.ndarray:
    """(K,) int64: the group of each centroid. Two of a cosine of `merge_cosine` or more are in one group."""
    index = _flat_index(centroids)

    def near(start: int) -> tuple[np.ndarray, np.ndarray]:
        rows = centroids[start : start + BLOCK]
        limits, _, found = index.range_search(rows, merge_cosine - SAME)
        return np.repeat(np.arange(start, start + len(rows)), np.diff(limits).astype(int)), found

    blocks = _in_threads(near, range(0, len(centroids), BLOCK), num_threads)
    pairs = [pair for left, right in blocks for pair in zip(left.tolist(), right.tolist(), strict=True)]
    return connected(len(centroids), pairs)


def connected(num: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """(num,) int64: the smallest number that each number is connected with, directly or not."""
    parents = list(range(num))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return np.array([root(number) for number in range(num)], np.int64)


def largest_first(labels: np.ndarray) -> np.ndarray:
    """The labels as numbers from 0 without a gap, the label of most rows first; of equal ones that of the earlier row."""
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    number = np.empty(len(counts), np.int64)
    number[np.lexsort((first, -counts))] = np.arange(len(counts))
    return number[inverse]


def mix_bits(numbers: np.ndarray, salt: int) -> np.ndarray:
    """uint64 numbers as other uint64 numbers that look unrelated, one permutation a salt (the finaliser of splitmix64)."""
    mixed = numbers + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _uniform(draws: np.ndarray, step: int) -> np.ndarray:
    """float64 between 0 and 1, both excluded."""
    return ((mix_bits(draws, step) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mean_directions(points: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Centroids of the labels, of unit length; one that no point has stays where it is."""
    sums = np.zeros(centroids.shape)
    for start in range(0, len(points), BLOCK):
        order = np.argsort(labels[start : start + BLOCK], kind="stable")
        found, first = np.unique(labels[start : start + BLOCK][order], return_index=True)
        sums[found] += np.add.reduceat(points[start : start + BLOCK][order], first, dtype=np.float64)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > SAME, sums / np.maximum(lengths, SAME), centroids).astype(np.float32)


def _flat_index(centroids: np.ndarray):
    import faiss

    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids, np.float32))
    return index


def _in_threads(function: Callable, starts: Iterable[int], num_threads: int) -> list:
    """What the function gives for each start, in order; faiss and its BLAS use one thread in each of ours."""
    from concurrent.futures import ThreadPoolExecutor

    import faiss

    # OpenMP keeps its number of threads per thread: the caller's stays what it was
    with ThreadPoolExecutor(num_threads, "clusters", faiss.omp_set_num_threads, (1,)) as pool:
        return list(pool.map(function, starts))
