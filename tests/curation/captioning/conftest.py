"""A tiny CLIP for what judges captions."""

import json

import pytest


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> dict[str, str]:
    """A tiny CLIP of random weights known to open_clip: `clip_model` and `clip_weights`."""
    import torch

    open_clip = pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("clip")
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    (folder / "tiny-captions.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "tiny-captions.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-captions", pretrained=None).state_dict(), folder / "clip.pt")
    return {"clip_model": "tiny-captions", "clip_weights": str(folder / "clip.pt")}
