"""Long-prompt MetaCLIP: a CLIP text tower whose table of positions is made longer, 77 to 256 tokens [S §3.1.4, App A.1].

Axis letters: B batch, L tokens, D width.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.text import Role, TextContext, read_by
from moviegen.weights import save_state

LONG_PROMPT_TOKENS = 256
"""Tokens of a long prompt [S §3.1.4]."""

KEPT_ROWS = 20
"""First positions that keep their rows: those that short training texts have taught well (our decision, after Long-CLIP)."""


def stretch_positions(table: Tensor, num_rows: int, kept: int = KEPT_ROWS) -> Tensor:
    """A table of positions (N, D) with `num_rows` rows: the first `kept` as they are, the others stretched linearly.

    The paper says only that the table is longer and trained [S App A.1].
    """
    if num_rows < len(table):
        raise ValueError(f"position table of {len(table)} rows cannot shrink to {num_rows}")
    if num_rows == len(table) or len(table) <= kept:
        kept = min(kept, len(table) - 1)
    rest = F.interpolate(table[kept:].T[None], size=num_rows - kept, mode="linear", align_corners=True)[0].T
    return torch.cat([table[:kept], rest])


def long_prompt_parameters(tower: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """(name, parameter) of what the paper trains of the text tower: the positions and all biases; the rest stays frozen [S App A.1]."""
    for name, parameter in tower.named_parameters():
        if "position" in name or name.endswith("bias"):
            yield name, parameter


def lengthen_clip(model: nn.Module, max_length: int = LONG_PROMPT_TOKENS) -> nn.Module:
    """A transformers CLIPTextModel that takes `max_length` tokens, changed in place."""
    embeddings = getattr(model, "text_model", model).embeddings
    table = embeddings.position_embedding
    if table.num_embeddings < max_length:
        embeddings.position_embedding = nn.Embedding.from_pretrained(
            stretch_positions(table.weight.data, max_length), freeze=not table.weight.requires_grad
        )
        embeddings.register_buffer("position_ids", torch.arange(max_length)[None], persistent=False)
        model.config.max_position_embeddings = max_length
    return model


OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
"""Files of a repository in open_clip's format."""

NO_PICTURES = {"layers": 1, "width": 64, "image_size": 16, "patch_size": 16}
"""The smallest picture half that open_clip builds; it is thrown away."""


class OpenClipTextEncoder:
    """The frozen text tower of a CLIP in open_clip's format: MetaCLIP of the paper's width has no other [S §3.1.4, Fig 8].

    Gives the last hidden layer after its norm, not the pooled vector. Texts are read causally, so padding changes nothing.
    """

    def __init__(
        self, model: nn.Module, config: Mapping[str, Any], max_length: int = LONG_PROMPT_TOKENS, role: Role = "prompt"
    ) -> None:
        """`model` is open_clip's, `config` its sizes as in `open_clip_config.json` (`embed_dim`, `text_cfg`, ...)."""
        from open_clip import SimpleTokenizer

        table = model.positional_embedding
        if len(table) < max_length:
            model.positional_embedding = nn.Parameter(stretch_positions(table.data, max_length), requires_grad=False)
        self.model = model.requires_grad_(False).eval()
        self.config, self.max_length, self.role = config, max_length, role
        self.tokenizer = SimpleTokenizer(context_length=max_length)
        self.width = int(table.shape[1])

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        max_length: int = LONG_PROMPT_TOKENS,
        role: Role = "prompt",
        dtype: torch.dtype = torch.float32,
    ) -> "OpenClipTextEncoder":
        """The tower of a folder or hub id with a config and safetensors of open_clip. Raises UsageError when there is none."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            config = json.loads(_file_of(source, OPEN_CLIP_CONFIG).read_text())["model_cfg"]
            state = load_file(_file_of(source, OPEN_CLIP_WEIGHTS))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise UsageError(
                f"text encoder {source}: {error!s:.500}\nwanted a folder or hub id with {OPEN_CLIP_CONFIG} and {OPEN_CLIP_WEIGHTS}"
            ) from error
        return cls(_text_tower(config, state, source).to(dtype), config, max_length, role)

    @classmethod
    def from_file(
        cls, architecture: str, path: str | Path, max_length: int = LONG_PROMPT_TOKENS, role: Role = "prompt"
    ) -> "OpenClipTextEncoder":
        """The tower of a file (safetensors, or a state dict read without pickle). Raises UsageError when it does not fit."""
        import open_clip
        from open_clip.factory import load_state_dict

        config = open_clip.get_model_config(architecture)
        if config is None:
            raise UsageError(f"open_clip has no model {architecture!r}; open_clip.list_models() names them")
        if not Path(path).is_file():
            raise UsageError(f"{path}: no such file; wanted open_clip weights of {architecture}")
        try:
            state = load_state_dict(str(path), weights_only=True)
        except Exception as error:  # torch and safetensors raise many kinds
            raise UsageError(f"{path}: not the weights of {architecture}: {error!s:.500}") from error
        return cls(_text_tower(config, state, path), config, max_length, role)

    def save_pretrained(self, folder: Path) -> None:
        """Writes the text tower alone, its table as long as it is now, into a folder that `from_pretrained` reads."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = {**self.config["text_cfg"], "context_length": len(self.model.positional_embedding)}
        sizes = {"embed_dim": self.config["embed_dim"], "quick_gelu": self.config.get("quick_gelu", False)}
        (folder / OPEN_CLIP_CONFIG).write_text(json.dumps({"model_cfg": {**sizes, "text_cfg": text}}, indent=2) + "\n")
        save_state(self.model.state_dict(), folder / OPEN_CLIP_WEIGHTS)

    def to(self, device: torch.device | str) -> "OpenClipTextEncoder":
        """Moves the tower."""
        self.model.to(device)
        return self

    @torch.no_grad()
    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> TextContext:
        """The last hidden layer (B, L, D), texts cut to `max_length` tokens and padded to the longest."""
        ids = self.tokenizer(read_by(self.role, texts)).to(device)
        lengths = ids.argmax(dim=-1) + 1  # the end token has the highest number
        length = int(lengths.max())
        model, ids = self.model, ids[:, :length]
        x = model.token_embedding(ids) + model.positional_embedding[:length]
        causal = torch.full((length, length), -torch.inf, device=x.device, dtype=x.dtype).triu(1)
        features = model.ln_final(model.transformer(x, attn_mask=causal))
        return TextContext(features, torch.arange(length, device=ids.device) < lengths[:, None])


def _file_of(source: str | Path, name: str) -> Path:
    """A file of a folder, or of a repository on the hub. Raises OSError or ValueError."""
    if Path(source).is_dir():
        return Path(source) / name
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(str(source), name))


def _text_tower(config: Mapping[str, Any], state: Mapping[str, Tensor], source: str | Path) -> nn.Module:
    """open_clip's CLIP of these sizes without its picture half, whose weights are left unread. Raises UsageError when they do not fit."""
    import open_clip

    odd = [name for name in ("hf_model_name", "hf_tokenizer_name", "tokenizer_kwargs") if config["text_cfg"].get(name)]
    if odd:
        raise UsageError(
            f"text encoder {source}: {odd[0]} is set; wanted a CLIP with open_clip's own tower and tokenizer"
        )
    try:
        with torch.device("meta"):
            network = open_clip.CLIP(
                config["embed_dim"], NO_PICTURES, dict(config["text_cfg"]), quick_gelu=config.get("quick_gelu", False)
            )
        del network.visual
        network.attn_mask = None  # as long as its tokens, made in `encode`
        text = {name: tensor.float() for name, tensor in state.items() if not name.startswith("visual.")}
        network.load_state_dict(text, assign=True)
    except (RuntimeError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise UsageError(f"text encoder {source}: not the weights of its architecture: {error!s:.500}") from error
    return network
