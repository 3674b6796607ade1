"""The paper's three text encoders, tiny and of random weights: folders in the formats in which the real ones are published."""

import json
from pathlib import Path
from string import ascii_lowercase

from moviegen.models.text_encoders import EncoderSource, TextEncodersConfig

WIDTHS = (24, 16, 20)
"""Of UL2, MetaCLIP and ByT5."""

T5_SIZES = {"d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "pad_token_id": 0, "eos_token_id": 1}


def tiny_encoders(folder: Path) -> TextEncodersConfig:
    """Writes the three into folders of `folder` and returns the config that names them, lengths and roles as in the paper."""
    return TextEncodersConfig(
        (
            EncoderSource("transformers", str(make_ul2(folder / "ul2")), WIDTHS[0], 512),
            EncoderSource("open_clip", str(make_metaclip(folder / "metaclip")), WIDTHS[1], 256),
            EncoderSource("transformers", str(make_byt5(folder / "byt5")), WIDTHS[2], 256, "quoted"),
        )
    )


def make_ul2(folder: Path) -> Path:
    """A T5 stack with UL2's gated SiLU and a SentencePiece-like tokenizer of letters and a few words."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    pieces = ["▁", *ascii_lowercase, *'.,-"0123456789', "▁a", "▁red", "▁circle", "▁moves"]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -float(len(piece) < 2)) for piece in pieces)]
    tokenizer = T5Tokenizer(vocab=vocab, extra_ids=0)
    config = T5Config(
        vocab_size=len(vocab), d_model=WIDTHS[0], feed_forward_proj="gated-silu", decoder_start_token_id=0, **T5_SIZES
    )
    T5EncoderModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_byt5(folder: Path) -> Path:
    """A T5 stack with ByT5's gated GELU over bytes."""
    from transformers import ByT5Tokenizer, T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=384, d_model=WIDTHS[2], feed_forward_proj="gated-gelu", decoder_start_token_id=0,
        tokenizer_class="ByT5Tokenizer", **T5_SIZES,
    )  # fmt: skip
    T5EncoderModel(config).save_pretrained(folder)
    ByT5Tokenizer().save_pretrained(folder)
    return folder


def make_metaclip(folder: Path) -> Path:
    """A whole CLIP, both halves, of 77 tokens, as open_clip reads it; its vocabulary is the real one."""
    import open_clip
    from safetensors.torch import save_file

    text = {"context_length": 77, "vocab_size": 49408, "width": WIDTHS[1], "heads": 2, "layers": 2}
    vision = {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8}
    sizes = {"embed_dim": 8, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    model = open_clip.CLIP(**sizes)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": sizes, "preprocess_cfg": {}}))
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return folder
