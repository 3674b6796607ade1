"""What the audio network is shown of a sequence: the paper's drops and masks [S 6.1.6]."""

import pytest
import torch

from training.modules.audio_dit import MaskConfig, random_spans
from training.modules.flow import drop


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


def test_shares_dropped_are_the_papers():
    generator = torch.Generator().manual_seed(0)
    draws = torch.tensor(drop(0.2, 20_000, generator, torch.device("cpu")))
    assert abs(draws.float().mean() - 0.2) < 0.01
    assert not any(drop(0.9, 100, None, torch.device("cpu"))), "validation drops nothing"
    defaults = MaskConfig()
    assert (defaults.drop_all, defaults.hide_audio, defaults.span) == (0.2, 0.5, (0.75, 1.0))
    assert (defaults.drop_text, defaults.drop_video) == (0.1, 0.1)


@pytest.mark.parametrize("span", [(0.0, 1.0), (0.9, 0.8), (0.5, 1.1)])
def test_a_span_of_nothing_is_refused(span):
    with pytest.raises(ValueError, match=r"masks.span"):
        MaskConfig(span=span)
