"""Networks that measure, tiny and of random weights, by the libraries' own classes, in the formats in which real ones are published."""

from pathlib import Path
from typing import Any

SIDE_PX = 32
"""Of the pictures that the tiny ones see."""

_BLOCK = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_SQUARE = {"size": {"shortest_edge": SIDE_PX}, "crop_size": {"height": SIDE_PX, "width": SIDE_PX}}


def make_clip_folder(folder: Path) -> Path:
    """A CLIP of the transformers library with tokenizer and image processor; it knows the words `a` and `dog`."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    text = {**_BLOCK, "vocab_size": 8, "max_position_embeddings": 8, "bos_token_id": 1, "eos_token_id": 2}
    vision = {**_BLOCK, "image_size": SIDE_PX, "patch_size": 16}
    _seeded(CLIPModel, CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    CLIPImageProcessor(**_SQUARE).save_pretrained(folder)
    return _with_tokenizer(folder)


def make_siglip_folder(folder: Path) -> Path:
    """A SigLIP of the transformers library, whose tokenizer gives no mask, as the published ones."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    text = {**_BLOCK, "vocab_size": 8, "max_position_embeddings": 8, "projection_size": 16}
    vision = {**_BLOCK, "image_size": SIDE_PX, "patch_size": 16}
    _seeded(SiglipModel, SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE_PX, "width": SIDE_PX}).save_pretrained(folder)
    return _with_tokenizer(folder, model_input_names=["input_ids"])


def make_clap_folder(folder: Path) -> Path:
    """A CLAP of the transformers library with tokenizer and feature extractor, which hears 48 kHz."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    audio = {
        "hidden_size": 16, "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [1, 2], "num_hidden_layers": 2,
        "window_size": 8, "patch_size": 8, "patch_stride": [8, 8],
    }  # fmt: skip
    text = {**_BLOCK, "vocab_size": 8, "max_position_embeddings": 16}
    _seeded(ClapModel, ClapConfig(text_config=text, audio_config=audio, projection_dim=8)).save_pretrained(folder)
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    return _with_tokenizer(folder)


def make_dino_folder(folder: Path) -> Path:
    """A DINOv2 of the transformers library with its image processor."""
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": SIDE_PX,
        "patch_size": 8,
    }
    _seeded(Dinov2Model, Dinov2Config(**sizes)).save_pretrained(folder)
    BitImageProcessor(**_SQUARE).save_pretrained(folder)
    return folder


def make_video_mae_folder(folder: Path, num_frames: int = 4) -> Path:
    """A VideoMAE of the transformers library with its image processor."""
    from transformers import VideoMAEConfig, VideoMAEImageProcessor, VideoMAEModel

    sizes = {**_BLOCK, "image_size": SIDE_PX, "patch_size": 16, "num_frames": num_frames, "tubelet_size": 2}
    _seeded(VideoMAEModel, VideoMAEConfig(**sizes)).save_pretrained(folder)
    VideoMAEImageProcessor(**_SQUARE).save_pretrained(folder)
    return folder


def save_torchscript(network: Any, path: Path, *shape: int) -> Path:
    """A network as TorchScript, traced on noise of a shape."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        torch.jit.save(torch.jit.trace(network.eval(), torch.rand(shape), check_trace=False), str(path))
    return path


def _seeded(kind: Any, config: Any) -> Any:
    import torch

    torch.manual_seed(0)
    return kind(config)


def _with_tokenizer(folder: Path, **settings: Any) -> Path:
    """Words, of which the last token is the end."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = {"unk_token": "[UNK]", "pad_token": "<pad>", "eos_token": "</s>"}
    words = Tokenizer(
        models.WordLevel({"[UNK]": 0, "<pad>": 1, "</s>": 2, "a": 3, "dog": 4}, unk_token=special["unk_token"])
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    PreTrainedTokenizerFast(tokenizer_object=words, **special, **settings).save_pretrained(folder)
    return folder
