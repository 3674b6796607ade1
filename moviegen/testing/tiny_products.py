"""Products of every kind with random weights of a few kB: they make noise, but all of the right size."""

from fractions import Fraction

import torch
from torch import nn

from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig
from moviegen.models.audio_dit import AudioDiT, AudioDiTConfig
from moviegen.models.edit_dit import EditDiT, EditDiTConfig
from moviegen.models.personal_dit import PersonalDiT, PersonalDiTConfig
from moviegen.models.tae import TAE, TAEConfig
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
from moviegen.models.upsampler import Upsampler, UpsamplerConfig
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.models.vision import SmallVisionConfig, SmallVisionEncoder
from moviegen.pipelines.edit import EditPipeline
from moviegen.pipelines.personal import PersonalPipeline
from moviegen.pipelines.soundtrack import SoundtrackPipeline
from moviegen.pipelines.upsample import UpsamplePipeline
from moviegen.pipelines.video import VideoDefaults, VideoPipeline

TEXT = ByteTextEncoderConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24, max_length=400)

SIZES = {
    "dim": 32, "num_layers": 1, "num_heads": 2, "ffn_dim": 48, "latent_channels": 4, "context_widths": (16,),
    "max_frames": 4, "max_height": 4, "max_width": 4,
}  # fmt: skip
"""Of the smallest video transformer."""


def tiny_tae() -> TAE:
    """An autoencoder of a few thousand weights."""
    return TAE(TAEConfig(channels=8, multipliers=(1, 1, 1, 1), num_res_blocks=1, latent_channels=4, norm_groups=4))


def tiny_text() -> ByteTextEncoder:
    """A text encoder 16 wide."""
    return ByteTextEncoder(ByteTextEncoderConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24))


def tiny_editor() -> EditPipeline:
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


def tiny_personalizer() -> PersonalPipeline:
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


def tiny_t2v(seed: int = 0) -> VideoPipeline:
    """A text-to-video product that knows nothing, of the sizes that the tiny recipes begin from."""
    torch.manual_seed(seed)
    tae = TAE(TAEConfig(channels=8, multipliers=(1, 1, 1, 2), num_res_blocks=1, latent_channels=8, norm_groups=4))
    tae.latent_std.fill_(0.5)
    sizes = {"dim": 48, "num_layers": 2, "num_heads": 2, "ffn_dim": 128, "latent_channels": 8, "context_widths": (32,)}
    dit = VideoDiT(VideoDiTConfig(**sizes, max_frames=4, max_height=8, max_width=8))
    text = ByteTextEncoder(ByteTextEncoderConfig(32, 1, 2, 64, 64))
    return VideoPipeline(tae, dit, [text], VideoDefaults(16, 64, 64, Fraction(4)))


def tiny_upsampler(max_frames: int = 14, max_side: int = 8, seed: int = 0) -> UpsamplePipeline:
    """An upsampler of 8x smaller latents in patches of 2, with positions for frames of `max_side` patches a side."""
    torch.manual_seed(seed)
    tae = TAE(TAEConfig(channels=8, multipliers=(1, 1, 1, 1), num_res_blocks=1, latent_channels=4, norm_groups=4))
    sizes = {"dim": 32, "num_layers": 1, "num_heads": 2, "ffn_dim": 48, "latent_channels": 4, "context_widths": (16,)}
    places = {"max_frames": max_frames, "max_height": max_side, "max_width": max_side, "condition_channels": 4}
    upsampler = Upsampler(UpsamplerConfig(**sizes, **places))
    defaults = VideoDefaults(num_frames=14, width=64, height=64, fps=Fraction(24), guidance_scale=2.0)
    return UpsamplePipeline(tae.eval(), _stirred(upsampler), [ByteTextEncoder(TEXT).eval()], defaults)


def tiny_soundtrack(rates: tuple[int, ...] = (4, 8, 10), latents_per_s: int = 25, seed: int = 0) -> SoundtrackPipeline:
    """A soundtrack model of 8 kHz with the paper's 25 latents a second."""
    torch.manual_seed(seed)
    hop = 1
    for rate in rates:
        hop *= rate
    sizes = {"encoder_dim": 4, "decoder_dim": 16, "latent_dim": 12, "bottleneck_dim": 6}
    codec = AudioCodec(AudioCodecConfig(sample_rate_hz=hop * latents_per_s, rates=rates, **sizes))
    dit = AudioDiT(
        AudioDiTConfig(
            dim=32, num_layers=1, num_heads=2, ffn_dim=48, latent_channels=6, video_width=16, context_widths=(16,)
        )
    )
    vision = SmallVisionEncoder(SmallVisionConfig(dim=16, ffn_dim=24, image_px=16))
    return SoundtrackPipeline(_stirred(codec, 0.05), _stirred(dit), vision.eval(), [ByteTextEncoder(TEXT).eval()])


def _stirred(network: nn.Module, std: float = 0.1) -> nn.Module:
    """The network with noise on its weights: those that begin at zero would hide what they are connected to."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(std * torch.randn_like(parameter))
    return network.eval()
