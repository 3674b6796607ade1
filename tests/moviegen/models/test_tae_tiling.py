"""Tiles of the TAE that stream in time and tile a frame's sides, and convolutions that go frame by frame: all the same as the whole."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from moviegen.models import tae_layers
from moviegen.models.tae import TAE, TAEConfig
from moviegen.models.tae_layers import Conv, ResidualBlock, SpatialAttention, TemporalConv
from moviegen.models.tae_tiling import blend_stream, in_side_tiles, regroup
from moviegen.windows import blend_tiles, tile_spans

TINY = TAEConfig(channels=8, multipliers=(1, 2, 2, 2), num_res_blocks=1, latent_channels=4, norm_groups=4)


def make(in_time: bool) -> TAE:
    """A TAE whose blocks say something; with `in_time` its frames see each other too."""
    torch.manual_seed(0)
    model = TAE(TINY).eval()
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            module.conv_2.spatial.reset_parameters()
        if in_time and isinstance(module, TemporalConv | SpatialAttention):
            for parameter in module.parameters():
                nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture(scope="module")
def still() -> TAE:
    return make(in_time=False)


@pytest.fixture(scope="module")
def moving() -> TAE:
    return make(in_time=True)


# --- streams ---------------------------------------------------------------------------------------------------------------------


@given(length=st.integers(1, 40), size=st.integers(1, 9), data=st.data())
def test_blending_as_they_come_is_blending_all_at_once(length, size, data):
    spans = tile_spans(length, size, data.draw(st.integers(0, size - 1)))
    tiles = [torch.randn(1, 2, end - start, 2, 1) for start, end in spans]
    pieces = list(blend_stream(iter(tiles), spans))
    assert torch.equal(torch.cat(pieces, 2), blend_tiles(tiles, spans, dim=2))
    ones = list(blend_stream([torch.ones_like(tile) for tile in tiles], spans))
    torch.testing.assert_close(torch.cat(ones, 2), torch.ones(1, 2, length, 2, 1))


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6), size=st.integers(1, 9))
def test_regrouping_changes_lengths_alone(lengths, size):
    frames = torch.arange(sum(lengths)).view(1, 1, -1, 1, 1)
    pieces = list(regroup(frames.split(lengths, dim=2), size))
    assert torch.equal(torch.cat(pieces, 2), frames)
    assert all(piece.shape[2] == size for piece in pieces[:-1])
    assert 1 <= pieces[-1].shape[2] <= size


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 31, 33, 72, 121])
def test_frames_stream_out_in_order_and_as_many_as_asked(moving, num_frames):
    z = torch.randn(1, 4, moving.num_latent_frames(num_frames), 2, 3)
    pieces = list(moving.decode_stream(z, num_frames))
    assert sum(piece.shape[2] for piece in pieces) == num_frames
    assert max(piece.shape[2] for piece in pieces) <= 32
    assert torch.equal(torch.cat(pieces, 2), moving.decode(z, num_frames, tiled=True))


@torch.no_grad()
def test_no_tile_is_decoded_before_its_frames_are_asked_for(moving):
    seen = []
    hook = moving.decoder.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[2]))
    stream = moving.decode_stream(torch.randn(1, 4, 32, 2, 2), 256)
    assert [(next(stream).shape[2], len(seen)) for _ in range(3)] == [(16, 1), (16, 2), (16, 3)]
    hook.remove()


@torch.no_grad()
def test_a_video_may_come_in_pieces_of_any_length(moving):
    x = torch.rand(1, 3, 75, 16, 16) * 2 - 1
    latents = list(moving.encode_stream(x.split([5, 40, 1, 29], dim=2)))
    assert [part.mean.shape[2] for part in latents] == [4, 4, 2]
    whole = moving.encode(x, tiled=True)
    assert torch.equal(torch.cat([part.mean for part in latents], 2), whole.mean)
    assert torch.equal(torch.cat([part.logvar for part in latents], 2), whole.logvar)


@torch.no_grad()
def test_tiles_are_the_untiled_where_frames_do_not_see_each_other(still):
    x = torch.rand(1, 3, 80, 16, 16) * 2 - 1
    z = still.encode(x).mean
    torch.testing.assert_close(still.encode(x, tiled=True).mean, z, rtol=0, atol=1e-5)
    torch.testing.assert_close(still.decode(z, 80, tiled=True), still.decode(z, 80), rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_tile_s_middle_is_the_untiled_as_far_as_a_kernel_sees():
    """The streaming of the tiles with a convolution in time in the decoder's place, which sees one frame to each side."""
    conv = TemporalConv(3)
    nn.init.normal_(conv.weight)
    x = torch.randn(1, 3, 64, 2, 2)
    spans = tile_spans(64, 32, 16)
    tiled = torch.cat(list(blend_stream((conv(x[:, :, a:b]) for a, b in spans), spans)), 2)
    whole = conv(x)
    edges = [frame for start, end in spans for frame in (start, end - 1) if frame not in (0, 63)]
    inside = [frame for frame in range(64) if frame not in edges]
    torch.testing.assert_close(tiled[:, :, inside], whole[:, :, inside])
    assert not torch.allclose(tiled[:, :, edges], whole[:, :, edges])


# --- sides -----------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_side_tiles_of_a_local_network_are_the_untiled_inside():
    kernel = torch.randn(1, 1, 1, 3, 3)

    def enlarged(x):
        return F.conv3d(x.repeat_interleave(2, 3).repeat_interleave(2, 4), kernel, padding=(0, 1, 1))

    x = torch.randn(1, 1, 2, 30, 21)
    tiled, whole = in_side_tiles(enlarged, x, tile=8, step_in=1, step_out=2), enlarged(x)
    assert tiled.shape == whole.shape
    wrong = ((tiled - whole).abs() > 1e-5).any(0).any(0).any(0)
    rows, columns = (tile_spans(length, 8, 2) for length in (30, 21))
    edge_rows = {edge for a, b in rows for edge in (2 * a, 2 * b - 1)}
    edge_columns = {edge for a, b in columns for edge in (2 * a, 2 * b - 1)}
    for row, column in wrong.nonzero().tolist():
        assert row in edge_rows or column in edge_columns


@torch.no_grad()
def test_a_constant_stays_constant_in_side_tiles():
    x = torch.full((1, 2, 3, 64, 40), 0.7)
    out = in_side_tiles(lambda tile: F.avg_pool3d(tile, (1, 8, 8)), x, tile=3, step_in=8, step_out=1)
    torch.testing.assert_close(out, torch.full((1, 2, 3, 8, 5), 0.7))


@torch.no_grad()
def test_frames_go_through_in_squares(moving):
    x = F.interpolate(torch.rand(1, 3, 9, 6, 8) * 2 - 1, size=(9, 96, 64), mode="trilinear")
    sides = []
    hook = moving.encoder.register_forward_hook(lambda module, inputs, output: sides.append(tuple(inputs[0].shape[3:])))
    z = moving.encode(x, tile_px=32).mean
    hook.remove()
    assert set(sides) <= {(32, 32), (32, 16), (24, 32), (24, 16)} | {(h, w) for h in (32, 24) for w in (32, 16)}
    assert z.shape == (1, 4, 2, 12, 8)
    out = moving.decode(z, 9, tile_px=32)
    assert out.shape == x.shape
    assert torch.equal(torch.cat(list(moving.decode_stream(z, 9, tile_px=32)), 2), out)
    assert torch.equal(moving.encode(x, tile_px=96).mean, moving.encode(x).mean)
    with pytest.raises(ValueError, match="tile_px 36: wanted a multiple of 8, 32 or more"):
        moving.encode(x, tile_px=36)


# --- frame by frame --------------------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 2, 7, 9])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "temporal_stride": 2},
        {"temporal_upsample": True},
        {"temporal_kernel": 5},
        {"temporal_kernel": 1},
    ],
    ids=str,
)
def test_a_convolution_frame_by_frame_is_the_same(monkeypatch, options, num_frames):
    torch.manual_seed(0)
    conv = Conv(6, 5, **options).to(memory_format=torch.channels_last)
    nn.init.normal_(conv.temporal.weight)
    nn.init.normal_(conv.temporal.bias)
    x = torch.randn(2, 6, num_frames, 8, 6).contiguous(memory_format=torch.channels_last_3d)
    whole = conv(x, torch.tanh)
    monkeypatch.setattr(tae_layers, "BY_FRAMES_ABOVE", 0)
    torch.testing.assert_close(conv(x, torch.tanh), whole, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_frame_by_frame_is_the_same_and_leaves_its_input_alone(monkeypatch, dtype):
    model = make(in_time=True).to(dtype)
    x = (torch.rand(2, 3, 11, 16, 24) * 2 - 1).to(dtype)
    z = model.encode(x).mean
    pixels, before = model.decode(z, 11), (x.clone(), z.clone())
    monkeypatch.setattr(tae_layers, "BY_FRAMES_ABOVE", 0)
    atol = 1e-5 if dtype == torch.float32 else 0.15
    torch.testing.assert_close(model.encode(x).mean, z, rtol=1e-5, atol=atol)
    torch.testing.assert_close(model.decode(z, 11), pixels, rtol=1e-5, atol=atol)
    assert torch.equal(x, before[0])
    assert torch.equal(z, before[1])


@given(
    num_frames=st.integers(1, 12),
    size=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
    factor=st.sampled_from([1, 2]),
)
def test_taps_are_what_replicate_padding_and_repetition_say_s_3_1_1(num_frames, size, stride, factor):
    frames = torch.arange(float(num_frames)).repeat_interleave(factor)
    padded = F.pad(frames[None, None], (size // 2, size // 2), mode="replicate")[0, 0]
    expected = padded.unfold(0, size, stride).tolist()
    taps = TemporalConv(1, size, stride).taps(num_frames, factor)
    assert len(taps) == len(expected)
    for seen, frames_of_kernel in zip(taps, expected, strict=True):
        assert {place: frame for frame, places in seen.items() for place in places} == dict(enumerate(frames_of_kernel))
