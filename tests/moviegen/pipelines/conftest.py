"""Products with random weights, small enough for seconds."""

from fractions import Fraction

import pytest
import torch

from moviegen.models.edit_dit import EditDiT, EditDiTConfig
from moviegen.models.personal_dit import PersonalDiT, PersonalDiTConfig
from moviegen.models.tae import TAE, TAEConfig
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.models.vision import SmallVisionConfig, SmallVisionEncoder
from moviegen.pipelines.edit import EditPipeline
from moviegen.pipelines.personal import PersonalPipeline
from moviegen.pipelines.video import VideoDefaults, VideoPipeline

SIZES = {
    "dim": 32, "num_layers": 1, "num_heads": 2, "ffn_dim": 48, "latent_channels": 4, "context_widths": (16,),
    "max_frames": 4, "max_height": 4, "max_width": 4,
}  # fmt: skip


def tiny_tae() -> TAE:
    """An autoencoder of a few thousand weights."""
    return TAE(TAEConfig(channels=8, multipliers=(1, 1, 1, 1), num_res_blocks=1, latent_channels=4, norm_groups=4))


def tiny_text() -> ByteTextEncoder:
    """A text encoder 16 wide."""
    return ByteTextEncoder(ByteTextEncoderConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24))


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
    torch.manual_seed(1)
    network = EditDiT(EditDiTConfig(**SIZES, tasks=("local", "remove")))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    network.task.open_tokens()
    defaults = VideoDefaults(
        num_frames=16, width=32, height=32, fps=Fraction(8), num_inference_steps=2, guidance_scale=3.0
    )
    return EditPipeline(tiny_tae().eval(), network.eval(), [tiny_text().eval()], defaults)


@pytest.fixture(scope="session")
def edit_model(edit_pipeline, tmp_path_factory):
    """Its folder."""
    folder = tmp_path_factory.mktemp("edit") / "model"
    edit_pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def personal_pipeline():
    """A personaliser whose face and text both matter."""
    torch.manual_seed(2)
    network = PersonalDiT(PersonalDiTConfig(**SIZES, face_width=16))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    vision = SmallVisionEncoder(SmallVisionConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24))
    defaults = VideoDefaults(
        num_frames=9, width=32, height=32, fps=Fraction(8), num_inference_steps=2, guidance_scale=3.0
    )
    return PersonalPipeline(tiny_tae().eval(), network.eval(), vision.eval(), [tiny_text().eval()], defaults)


@pytest.fixture(scope="session")
def personal_model(personal_pipeline, tmp_path_factory):
    """Its folder."""
    folder = tmp_path_factory.mktemp("personal") / "model"
    personal_pipeline.save_pretrained(folder)
    return folder
