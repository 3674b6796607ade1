"""Products with random weights, small enough for seconds."""

from fractions import Fraction

import pytest
import torch

from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.pipelines.video import VideoDefaults, VideoPipeline
from moviegen.testing.tiny_products import SIZES, tiny_editor, tiny_personalizer, tiny_tae, tiny_text


@pytest.fixture(scope="session")
def video_model(tmp_path_factory):
    """Folder of a VideoPipeline with random weights."""
    torch.manual_seed(0)
    defaults = VideoDefaults(
        num_frames=10, width=48, height=32, fps=Fraction(5), num_inference_steps=2, guidance_scale=3.0
    )
    folder = tmp_path_factory.mktemp("product") / "model"
    VideoPipeline(tiny_tae(), VideoDiT(VideoDiTConfig(**SIZES)), [tiny_text()], defaults).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def edit_pipeline():
    """An editor whose video, instruction and task all matter."""
    return tiny_editor()


@pytest.fixture(scope="session")
def edit_model(edit_pipeline, tmp_path_factory):
    """Its folder."""
    folder = tmp_path_factory.mktemp("edit") / "model"
    edit_pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def personal_pipeline():
    """A personaliser whose face and text both matter."""
    return tiny_personalizer()


@pytest.fixture(scope="session")
def personal_model(personal_pipeline, tmp_path_factory):
    """Its folder."""
    folder = tmp_path_factory.mktemp("personal") / "model"
    personal_pipeline.save_pretrained(folder)
    return folder
