"""The guidance that a stage leaves with its model: as told, else that of the stage before, else the product's own."""

from dataclasses import replace

import pytest

from moviegen.pipelines.product_index import own_defaults
from moviegen.testing.tiny_products import tiny_soundtrack, tiny_t2v
from training.modules.audio_dit import AudioDiTModule
from training.modules.edit import EditModule
from training.modules.video_dit import VideoDiTModule


@pytest.fixture(scope="module")
def t2v(tmp_path_factory):
    """A text-to-video product that is sampled with 2."""
    folder, pipeline = tmp_path_factory.mktemp("t2v") / "model", tiny_t2v()
    pipeline.defaults = replace(pipeline.defaults, guidance_scale=2.0)
    pipeline.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("told", "left"), [(None, 2.0), (5.0, 5.0)])
def test_a_later_stage_takes_it_over_unless_told(t2v, tmp_path, told, left):
    before = tiny_soundtrack()
    before.guidance_scale = 2.0
    before.codec.latent_mean.fill_(0.1)  # as if it had been measured
    before.save_pretrained(tmp_path / "before")
    video = VideoDiTModule(str(t2v / "tae"), init_from=str(t2v), guidance_scale=told)
    sound = AudioDiTModule(init_from=str(tmp_path / "before"), guidance_scale=told)
    sound.export(tmp_path / "after")
    assert (video.guidance_scale, own_defaults(tmp_path / "after")["guidance_scale"]) == (left, left)


def test_an_edit_is_guided_by_other_things_than_the_film_it_began_from(t2v):
    assert EditModule(str(t2v / "tae"), init_from=str(t2v)).guidance_scale is None
