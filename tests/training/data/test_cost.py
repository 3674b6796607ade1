"""Batch sizes: the paper's token counts, the FLOP formula against torch's counter, budgets, and what is refused."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet, decode_bucket
from moviegen.errors import UsageError
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.testing.lake import TOY_BUCKETS
from training.data.buckets import BatchMix
from training.data.cost import BatchRule, TransformerCost, check_sizes, num_tokens, rank_efficiency, step_efficiency
from training.data.datamodule import ShardDataModule, check_every_bucket
from training.data.sources import check_buckets

MOVIE_GEN = TransformerCost(dim=6144, num_layers=48, ffn_dim=16384, text_tokens=768)


def test_tokens_are_the_papers(repo_root):
    paper = load_config(BucketSet, repo_root / "configs/buckets/paper.yaml")
    assert num_tokens(decode_bucket("1x1-f256"), paper, 768) == 73_728
    assert num_tokens(decode_bucket("16x9-f256"), paper, 768) == 73_728
    assert num_tokens(decode_bucket("1x1-f256"), paper, 256) == 8_192
    assert num_tokens(decode_bucket("1x1-f1"), paper, 256) == 256
    assert num_tokens(decode_bucket("1x1-f16"), TOY_BUCKETS, 64) == 32


@pytest.mark.parametrize(
    ("tokens", "petaflops"), [(256, 0.057), (8_192, 1.523), (2_304, 0.392), (36_864, 10.54), (73_728, 30.68)]
)
def test_the_30b_models_samples_cost_what_was_computed_by_hand(tokens, petaflops):
    assert MOVIE_GEN.flops(tokens) / 1e15 == pytest.approx(petaflops, rel=0.01)


@pytest.mark.parametrize("side", [8, 24])
def test_the_formula_is_what_torch_counts(side):
    sizes = {"dim": 256, "num_layers": 3, "ffn_dim": 640}
    with torch.device("meta"):
        network = VideoDiT(
            VideoDiTConfig(**sizes, num_heads=4, context_widths=(256,), max_frames=4, max_height=32, max_width=32)
        )
        x_t, text = torch.empty(1, 16, 4, 2 * side, 2 * side), torch.empty(1, 40, 256)
        context = TextContext(text, torch.ones(1, 40, dtype=torch.bool))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(x_t, torch.empty(1), [context])
    wanted = 3 * counter.get_total_flops()
    assert TransformerCost(**sizes, text_tokens=40).flops(4 * side * side) == pytest.approx(wanted, rel=0.03)


def test_both_budgets_bound_a_batch():
    tokens_only = BatchRule()
    assert [tokens_only.size(tokens, 512) for tokens in (32, 100, 512, 513)] == [16, 5, 1, 0]
    flops = BatchRule(flops_per_batch=4 * 30.7e15, cost=MOVIE_GEN)
    assert [flops.size(tokens, 10**9) for tokens in (73_728, 36_864, 2_304)] == [4, 11, 312]
    assert flops.size(2_304, 100_000) == 43, "the budget of tokens bounds memory"
    assert BatchRule(divisor=4).size(32, 512 + 96) == 16
    assert BatchRule(divisor=4).size(32, 64) == 0


def test_wrong_rules_say_what_is_missing():
    with pytest.raises(ValueError, match=r"needs batch\.cost"):
        BatchRule(flops_per_batch=1e15)
    with pytest.raises(ValueError, match="divisor is 0"):
        BatchRule(divisor=0)


def test_a_bucket_that_fits_no_batch_or_has_too_few_for_the_ranks_is_refused():
    check_sizes({"1x1-f16": 4, "1x1-f1": 9}, BatchRule(), 4)
    with pytest.raises(
        UsageError, match=r"bucket 1x1-f256: one sample cost more than a batch may; raise data.tokens_per_batch"
    ):
        check_sizes({"1x1-f16": 4, "1x1-f256": 0}, BatchRule(), 1)
    with pytest.raises(UsageError, match="bucket 1x1-f16: batches of 4 samples for 5 ranks"):
        check_sizes({"1x1-f16": 4, "1x1-f1": 9}, BatchRule(), 5)


def test_data_and_buckets_must_agree():
    check_buckets(["1x1-f16", "16x9-f1"], TOY_BUCKETS)
    with pytest.raises(UsageError, match=r"samples of bucket 1x1-f99, none of data.buckets"):
        check_buckets(["1x1-f16", "1x1-f99"], TOY_BUCKETS)
    with pytest.raises(UsageError, match="no sample in bucket"):
        check_every_bucket(["1x1-f16"], TOY_BUCKETS)


def test_efficiencies():
    assert rank_efficiency(64, 64) == 1
    assert rank_efficiency(9, 4) == pytest.approx(9 / 12)
    assert step_efficiency({"a": 2.0, "b": 1.0}, {"a": 0.5, "b": 0.5}) == pytest.approx(0.75)


def test_a_stage_says_how_its_batches_are_made(toy_lake):
    data = ShardDataModule(str(toy_lake), TOY_BUCKETS, resolution=32, tokens_per_batch=32, mix=BatchMix(1, 3))
    data.setup("fit")
    assert "batches of 1x1-f16 x 4, " in data.summary()
    assert "mean over maximum cost 1.000 between 1 ranks" in data.summary()
    small = ShardDataModule(str(toy_lake), TOY_BUCKETS, resolution=32, tokens_per_batch=9)
    small.setup("fit")
    with pytest.raises(UsageError, match=r"16x9-f16.*: one sample"):
        small.train_dataloader()
