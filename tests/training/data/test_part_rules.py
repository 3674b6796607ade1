"""The rule that sizes batches, in kinds of batches and in windows: equal cost, divisors, every bucket, what is said and what is refused."""

from dataclasses import dataclass, replace

import pytest

from moviegen.contracts.bucket import decode_bucket, encode_bucket
from moviegen.errors import UsageError
from moviegen.testing.lake import TOY_BUCKETS
from training.data.batch import Batch
from training.data.buckets import BatchMix
from training.data.cost import BatchRule, TransformerCost, num_tokens
from training.data.edits import EditDataModule, EditPart
from training.data.held_out import Validation
from training.data.mixture import MixedDataModule
from training.data.parts import PartBatch
from training.data.people import PersonalDataModule, PersonalPart
from training.data.shards import read_subset
from training.data.sound import SoundDataModule, SoundPart, SoundShape
from training.data.sources import with_frames
from training.data.windows import Window, WindowDataModule

SMALL = TransformerCost(dim=8, num_layers=1, ffn_dim=16)


@dataclass(frozen=True)
class Part:
    samples_per_batch: int
    share: int = 1
    as_images: bool = False


class NamedSource:
    """Samples that are nothing but their bucket."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.buckets = [key for key, count in counts.items() for _ in range(count)]
        self.groups = [str(i) for i in range(len(self.buckets))]

    def load(self, spec) -> Batch:
        names = [str(i) for i in spec.samples]
        return PartBatch(spec.index, encode_bucket(spec.bucket), names, [""] * len(names), [0.0] * len(names))


class Named(MixedDataModule):
    """Kinds of such samples, of 64 px."""

    counts = {"short": {"1x1-f16": 40}, "long": {"1x1-f64": 30, "16x9-f64": 30}, "images": {"1x1-f16": 20}}  # noqa: RUF012

    def open_part(self, name):
        return NamedSource(self.counts[name])

    def tokens(self, name, bucket):
        return num_tokens(decode_bucket(bucket), TOY_BUCKETS, 64)

    def part_buckets(self, name):
        return with_frames(TOY_BUCKETS, 64 if name == "long" else 16)


def make(parts, world_size=1, rank=0, batch=BatchRule()):  # noqa: B008
    data = Named("", parts, Validation(0.0), 0, 7, batch)
    data._ranks = lambda: (rank, world_size)
    data.setup("fit")
    return data


PARTS = {"short": Part(32, share=2), "long": Part(32), "images": Part(64, as_images=True)}


def drawn(data, count):
    iterator = iter(data.train_dataloader())
    return [next(iterator) for _ in range(count)]


def test_without_a_rule_a_part_has_its_own_number_of_samples():
    batches = drawn(make(PARTS), 12)
    assert {batch.part: len(batch) for batch in batches} == {"short": 32, "long": 32, "images": 64}
    assert {batch.part: batch.cost for batch in batches}["short"] == 32 * 32, "its tokens"


def test_a_budget_makes_the_kinds_steps_cost_alike():
    budget = 32 * SMALL.flops(32)
    rule = BatchRule(flops_per_batch=budget, cost=SMALL)
    data = make(PARTS, batch=rule)
    batches = drawn(data, 24)
    sizes = {(batch.part, batch.bucket): len(batch) for batch in batches}
    assert sizes["short", "1x1-f16"] == 32
    assert sizes["long", "1x1-f64"] == budget // SMALL.flops(128) < 8
    assert sizes["images", "1x1-f1"] == 64, "as many as the part says at most"
    assert all(batch.cost <= budget for batch in batches)
    assert min(batch.cost for batch in batches if batch.part != "images") > 0.75 * budget
    plain = make({name: PARTS[name] for name in ("short", "long")})
    equal = make({name: PARTS[name] for name in ("short", "long")}, batch=rule)
    assert said_efficiency(plain) < 0.7
    assert said_efficiency(equal) > 0.9


def said_efficiency(data) -> float:
    return float(data.summary().rpartition(", ")[2].split()[0])


def test_sizes_are_multiples_of_the_divisor_and_alike_on_any_number_of_ranks():
    rule = BatchRule(flops_per_batch=40 * SMALL.flops(32), cost=SMALL, divisor=4)
    alone = drawn(make(PARTS, batch=rule), 12)
    assert all(len(batch) % 4 == 0 and batch.efficiency == 1 for batch in alone)
    ranks = [drawn(make(PARTS, 4, rank, rule), 12) for rank in range(4)]
    for whole, *shares in zip(alone, *ranks, strict=True):
        assert {share.digest for share in shares} == {whole.digest}
        assert sorted(key for share in shares for key in share.keys) == sorted(whole.keys)
        assert [len(share) * 4 for share in shares] == [len(whole)] * 4


def test_what_fits_no_batch_or_leaves_ranks_without_is_refused_with_the_parts_name():
    with pytest.raises(
        UsageError, match=r"one sample cost more.*raise data\.parts\.long\.samples_per_batch or data\.batch"
    ):
        make(PARTS, batch=BatchRule(flops_per_batch=SMALL.flops(32), cost=SMALL)).train_dataloader()
    with pytest.raises(UsageError, match=r"8 samples \(batch.divisor\).*data\.parts\.short\.samples_per_batch"):
        make({"short": Part(6)}, batch=BatchRule(divisor=8)).train_dataloader()
    with pytest.raises(UsageError, match=r"batches of 6 samples for 8 ranks.*data\.parts\.short\.samples_per_batch"):
        make({"short": Part(6)}, world_size=8).train_dataloader()


def test_every_bucket_of_a_kind_may_be_asked_for():
    with pytest.raises(UsageError, match=r"no sample in bucket .*9x16-f64.*never be used"):
        make({"long": Part(8)}, batch=BatchRule(every_bucket=True))


def test_the_kinds_and_how_even_they_are_is_said():
    assert make(PARTS).summary() == (
        "data: 40 samples of short, batches of 1x1-f16 x 32; 60 samples of long, batches of 16x9-f64 x 32, 1x1-f64 x 32; "
        "20 samples of images, batches of 1x1-f1 x 64; mean over maximum cost 1.000 between 1 ranks, 0.430 between steps"
    )


def test_every_data_module_takes_the_rule_and_knows_its_tokens():
    rule = BatchRule(divisor=2)
    people = PersonalDataModule("", TOY_BUCKETS, 64, {"a": PersonalPart(4, num_frames=64)}, batch=rule)
    edits = EditDataModule("", TOY_BUCKETS, 64, {"a": EditPart(4, ("animate",), num_frames=64)}, batch=rule)
    sound = SoundDataModule("", {"a": SoundPart(4, 30.0), "b": SoundPart(4, 0.001)}, SoundShape(), batch=rule)
    for data in (people, edits):
        assert data.batch is rule
        assert data.tokens("a", "1x1-f64") == 128
        assert {d.num_frames for d in data.part_buckets("a").durations} == {64}
    assert (sound.tokens("a", "1x1-f240"), sound.tokens("b", "1x1-f2")) == (750, 1), "25 latents a second [S 6.1.3]"
    assert sound.part_buckets("a") is None


def test_windows_are_sized_by_their_own_frames(toy_lake):
    window, rule = (
        Window(8, 6.0),
        BatchRule(flops_per_batch=9 * SMALL.flops(4), cost=SMALL, divisor=2, every_bucket=True),
    )
    there = {sample.bucket.partition("-")[0] for sample in read_subset(toy_lake).samples}
    aspects = tuple(a for a in TOY_BUCKETS.aspects if f"{a.aspect_width}x{a.aspect_height}" in there)
    one = replace(TOY_BUCKETS, aspects=aspects)
    data = WindowDataModule(str(toy_lake), one, 32, 10**6, window, mix=BatchMix(1, 3), batch=rule)
    data.setup("fit")
    batches = drawn(data, 16)
    assert {batch.bucket: len(batch) for batch in batches}["1x1-f8"] == 8
    assert all(batch.cost <= rule.flops_per_batch for batch in batches)
    assert {batch.efficiency for batch in batches} == {1.0}
    with pytest.raises(UsageError, match=r"no sample in bucket .*3x4-f8, 4x3-f8"):
        WindowDataModule(str(toy_lake), TOY_BUCKETS, 32, 10**6, window, batch=rule).setup("fit")
