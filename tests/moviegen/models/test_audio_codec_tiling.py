"""Sound coded in pieces is the sound coded whole."""

import pytest
import torch

from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig
from moviegen.models.audio_codec_tiling import decode_stream, encode_span, reach_of


@pytest.fixture(scope="module", params=[(4, 5), (2, 3, 4)], ids=str)
def codec(request):
    torch.manual_seed(0)
    sizes = {"encoder_dim": 4, "decoder_dim": 16, "latent_dim": 12, "bottleneck_dim": 6}
    model = AudioCodec(AudioCodecConfig(sample_rate_hz=1000, rates=request.param, **sizes)).eval()
    with torch.no_grad():  # begun small, what comes from afar would be lost in the rounding
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.double()


@torch.no_grad()
def test_decoding_in_pieces_is_decoding(codec):
    num_samples = 117 * codec.config.hop - 7
    z = torch.randn(2, 6, 117, dtype=torch.float64)
    pieces = list(decode_stream(codec, z.split(11, 2), num_samples, piece=20))
    assert len(pieces) == 6
    torch.testing.assert_close(torch.cat(pieces, 2), codec.decode(z, num_samples), rtol=0, atol=1e-12)


@torch.no_grad()
def test_encoding_a_span_is_the_span_of_the_encoding(codec):
    x = torch.randn(1, 1, 117 * codec.config.hop, dtype=torch.float64)
    found = encode_span(codec, lambda start, end: x[..., start:end], 30, 80, 117)
    torch.testing.assert_close(found, codec.encode(x).mean[..., 30:80], rtol=0, atol=1e-12)


@torch.no_grad()
def test_the_reach_is_not_too_short(codec):
    """A change of one latent is not heard further away than `reach_of` says."""
    reach, hop = reach_of(codec.config), codec.config.hop
    z = torch.randn(1, 6, 4 * reach, dtype=torch.float64)
    other = z.clone()
    other[..., 2 * reach] += 1
    heard = (codec.decode(z, 4 * reach * hop) - codec.decode(other, 4 * reach * hop))[0, 0].abs() > 0
    places = heard.nonzero()[:, 0] // hop
    assert places.min() >= reach
    assert places.max() <= 3 * reach
    assert places.max() > 2 * reach


def test_the_paper_s_codec_reaches_less_than_a_second():
    assert reach_of(AudioCodecConfig()) < 25
