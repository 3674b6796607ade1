"""Streamed MultiDiffusion is MultiDiffusion, and holds as many windows as it has steps, however long the film."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.sampling import euler_step, integrate_windows, linear_t, midpoint_step
from moviegen.window_stream import Sliding, WindowValues, frame_noise, integrate_stream
from moviegen.windows import fade_masks, segment_spans, shaped_masks, tile_spans

SOLVERS = {"euler": euler_step, "midpoint": midpoint_step}


def velocity_of(number, start):
    """A field that differs from window to window and mixes a window's frames."""
    return lambda x, t: torch.sin(x.cumsum(2) * 0.3 + number) - t.reshape(-1, 1, 1) + 0.01 * start


def run_both(length, spans, masks, num_steps, solver, piece):
    x_0 = torch.randn(2, 3, length, generator=torch.Generator().manual_seed(1))
    velocities = [velocity_of(i, start) for i, (start, _) in enumerate(spans)]
    values = WindowValues(lambda i: velocities[i], num_steps)
    whole = integrate_windows(velocities, spans, masks, x_0, linear_t(num_steps), solver)
    step = lambda i, x, t, t_next: solver(values(i), x, t, t_next)  # noqa: E731
    pieces = integrate_stream(step, spans, masks, x_0.split(piece, 2), linear_t(num_steps))
    return whole, torch.cat(list(pieces), 2), values.most_live


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 8), st.integers(1, 5), st.integers(1, 9))
def test_the_stream_gives_what_the_whole_gives_to_the_bit(length, hop, overlap, num_steps, piece):
    spans = tile_spans(length, hop + overlap, overlap)
    whole, streamed, _ = run_both(length, spans, fade_masks(spans), num_steps, euler_step, piece)
    assert torch.equal(whole, streamed)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_paper_s_segments_too_s_6_1_5(solver):
    spans = segment_spans(100, 15, 5)
    whole, streamed, _ = run_both(100, spans, shaped_masks(spans), 4, SOLVERS[solver], 7)
    assert torch.equal(whole, streamed)


@pytest.mark.parametrize("length", [100, 1000])
def test_as_many_windows_are_alive_as_there_are_steps_whatever_the_length(length):
    spans = tile_spans(length, 14, 4)
    assert run_both(length, spans, fade_masks(spans), 6, euler_step, 5)[2] <= 7


def test_a_sliding_window_forgets_what_lies_behind_it():
    frames = Sliding(torch.arange(20.0)[None].split(3, 1), 1)
    assert frames.take(2, 6).tolist() == [[2, 3, 4, 5]]
    assert frames.take(5, 15)[0, 0] == 5
    assert frames.held.shape[1] <= 10 + 3
    with pytest.raises(ValueError, match="are gone"):
        frames.take(4, 6)
    with pytest.raises(ValueError, match="ends at 20"):
        frames.take(18, 21)


def test_noise_is_the_same_in_pieces_and_begins_alike_whatever_the_length():
    whole = torch.cat(list(frame_noise((4, 2, 3), 10, [5, 6], 10)), 2)
    assert whole.shape == (2, 4, 10, 2, 3)
    assert torch.equal(whole, torch.cat(list(frame_noise((4, 2, 3), 10, [5, 6], 3)), 2))
    assert torch.equal(whole[1:, :, :7], torch.cat(list(frame_noise((4, 2, 3), 7, [6], 4)), 2))


def test_progress_counts_every_step_of_every_window():
    spans, seen = tile_spans(30, 14, 4), []
    step = lambda i, x, t, t_next: x  # noqa: E731
    stream = integrate_stream(
        step, spans, fade_masks(spans), [torch.zeros(1, 1, 30)], linear_t(4), callback=lambda *row: seen.append(row)
    )
    assert torch.cat(list(stream), 2).shape == (1, 1, 30)
    assert seen == [(i + 1, 4 * len(spans)) for i in range(4 * len(spans))]
