"""What the audio network is shown of a sequence: the paper's drops and masks [S 6.1.6]."""

import pytest
import torch

from training.modules.sound_masks import MaskConfig, draw_hidden, random_spans


def test_spans_cover_the_asked_share_of_what_is_real_in_one_piece():
    lengths = torch.randint(4, 100, (500,), generator=torch.Generator().manual_seed(0))
    real = torch.arange(100) < lengths[:, None]
    spans = random_spans(real, (0.75, 1.0), torch.Generator().manual_seed(1))
    share = spans.sum(1) / lengths
    assert not (spans & ~real).any()
    assert share.min() >= 0.75
    assert share.max() <= 1
    assert 0.85 < share.mean() < 0.92
    edges = (spans[:, 1:] != spans[:, :-1]).sum(1) + spans[:, 0].int() + spans[:, -1].int()
    assert (edges == 2).all(), "one piece each"
    starts = spans.int().argmax(1)
    assert (starts == 0).any()
    assert ((starts + spans.sum(1)) == lengths).any(), "at the end too"


def test_what_is_hidden_of_sequences_are_the_papers_shares_s_6_1_6():
    """Of 40,000 sequences, within 0.01, which is four standard deviations of the share that varies most."""
    num, lengths = 40_000, torch.randint(40, 101, (40_000,), generator=torch.Generator().manual_seed(0))
    real = torch.arange(100) < lengths[:, None]
    hidden = draw_hidden(MaskConfig(), real, torch.Generator().manual_seed(1))
    text, video, share = torch.tensor(hidden.text), torch.tensor(hidden.video), hidden.audio.sum(1) / lengths
    assert len(text) == len(video) == num

    def is_near(rows, wanted):
        return abs(rows.float().mean().item() - wanted) < 0.01

    assert is_near(text, 0.2 + 0.8 * 0.1)
    assert is_near(video, 0.2 + 0.8 * 0.1)
    assert is_near(text & video, 0.2 + 0.8 * 0.01), "independently, beside those that lose everything"
    whole = share == 1
    assert whole[text & video].float().mean() > 0.95, "those that lose everything have no known audio"
    assert is_near(share > 0.99, 0.2 + 0.8 * (0.5 + 0.5 * 0.04 + 0.5 * 0.01)), "0.5 of the rest; few spans are as long"
    spans = share[~whole]
    assert spans.min() >= 0.75
    assert is_near(spans[spans < 0.95], 0.85 + 0.5 / 100), "of even lengths, rounded up to whole latents"
    assert not (hidden.audio & ~real).any()


def test_validation_hides_all_audio_and_nothing_else():
    real = torch.arange(10) < torch.tensor([[4], [10]])
    hidden = draw_hidden(MaskConfig(drop_all=0.9), real, None)
    assert hidden.audio.equal(real)
    assert not any(hidden.text + hidden.video)


def test_the_defaults_are_the_papers_s_6_1_6():
    masks = MaskConfig()
    assert (masks.drop_all, masks.hide_audio, masks.span) == (0.2, 0.5, (0.75, 1.0))
    assert (masks.drop_text, masks.drop_video) == (0.1, 0.1)


@pytest.mark.parametrize("span", [(0.0, 1.0), (0.9, 0.8), (0.5, 1.1)])
def test_a_span_of_nothing_is_refused(span):
    with pytest.raises(ValueError, match=r"masks.span"):
        MaskConfig(span=span)
