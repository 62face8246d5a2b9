from collections import Counter
from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.data.splits import hash_keys, random_order, stratified_order

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


def names(n: int) -> list[str]:
    return [f"image-{i}" for i in range(n)]


@given(LABELS, st.integers(0, 100))
def test_every_prefix_holds_each_class_in_its_proportion(labels: list[int], seed: int) -> None:
    order = stratified_order(np.array(labels), names(len(labels)), seed, "split")
    assert sorted(order) == list(range(len(labels)))
    whole = Counter(labels)
    for k in range(len(labels) + 1):
        found = Counter(labels[place] for place in order[:k])
        for label, count in whole.items():
            share = count / len(labels)
            assert abs(found[label] - k * share) <= (1 + len(whole) * share) / 2 + 1e-9


@given(LABELS, st.randoms(use_true_random=False))
def test_the_listing_order_does_not_matter(labels: list[int], shuffler: object) -> None:
    identities = names(len(labels))
    places = list(range(len(labels)))
    shuffler.shuffle(places)  # type: ignore[attr-defined]  # a random.Random
    listed = [identities[p] for p in places]
    relabelled = np.array([labels[p] for p in places])
    one = stratified_order(np.array(labels), identities, 0, "split")
    other = stratified_order(relabelled, listed, 0, "split")
    assert [identities[p] for p in one] == [listed[p] for p in other]
    assert [identities[p] for p in random_order(identities, 0, "x")] == [
        listed[p] for p in random_order(listed, 0, "x")
    ]


def test_seeds_and_purposes_give_unrelated_orders() -> None:
    orders = {
        tuple(random_order(names(100), seed, purpose))
        for seed in (0, 1)
        for purpose in ("split", "evaluation")
    }
    assert len(orders) == 4
    assert all(sorted(order) == list(range(100)) for order in orders)


def test_keys_are_a_published_hash_and_the_same_for_ever() -> None:
    digest = blake2b(b"split:3:cat.jpg", digest_size=8).digest()
    (key,) = hash_keys(["cat.jpg"], 3, "split")
    assert int(key) == int.from_bytes(digest, "little") == 13784144221902435654


def test_no_identities_have_no_keys() -> None:
    assert len(hash_keys([], 0, "split")) == 0


def test_a_random_prefix_is_a_simple_random_sample() -> None:
    hits = Counter(
        int(place) for seed in range(400) for place in random_order(names(10), seed, "x")[:3]
    )
    assert all(abs(hits[place] - 120) < 40 for place in range(10))
