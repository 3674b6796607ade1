"""LPIPS: the distance of two pictures in the features of a VGG16, with learned weights a channel (Zhang et al. 2018).

The weights are the user's file: no package of this project ships them.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn

from moviegen.errors import UsageError

LAYERS = (3, 8, 15, 22, 29)
"""Indices of the last ReLU of VGG16's five stages: relu1_2, 2_2, 3_3, 4_3, 5_3."""

WIDTHS = (64, 128, 256, 512, 512)


class LPIPS(nn.Module):
    """(B, 3, T, H, W) twice, in [-1, 1] -> mean distance, a scalar. Frozen."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        self.features = make_layers(cfgs["D"])[
            : LAYERS[-1] + 1
        ]  # VGG16's, without its 120 million weights of classifier
        self.heads = nn.ParameterList(nn.Parameter(torch.zeros(width)) for width in WIDTHS)
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        self.requires_grad_(False)

    @classmethod
    def from_file(cls, path: str | Path) -> "LPIPS":
        """LPIPS with the weights of a safetensors file: VGG16's `features.<i>.weight|bias` and `heads.<0..4>`, each (C,).

        Raises UsageError when the file is missing or does not fit.
        """
        from safetensors.torch import load_file

        from moviegen.weights import check_state

        if not Path(path).is_file():
            raise UsageError(
                f"LPIPS weights {path}: no such file; wanted a safetensors file with VGG16's features.* and heads.0 .. heads.4"
                " (the five linear heads, flattened)"
            )
        model = cls()
        state = {**load_file(path), "shift": model.shift, "scale": model.scale}
        check_state(model, state, str(path))
        model.load_state_dict(state)
        return model.eval()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([stage.mean() for stage in self._stages(x, y)]).sum()

    def distances(self, x: Tensor, y: Tensor) -> Tensor:
        """(B T,) the distance of each frame."""
        return torch.stack([stage.mean((1, 2)) for stage in self._stages(x, y)]).sum(0)

    def _stages(self, x: Tensor, y: Tensor) -> Iterator[Tensor]:
        """(B T, rows, columns) the weighted distance at each place, of the five stages."""
        pair = torch.cat([rearrange(frames, "b c t h w -> (b t) c h w") for frames in (x, y)])
        h = (pair - self.shift) / self.scale
        stages = iter(self.heads)
        for index, layer in enumerate(self.features):
            h = layer(h)
            if index in LAYERS:
                unit = h / (torch.linalg.vector_norm(h, dim=1, keepdim=True) + 1e-10)
                first, second = unit.chunk(2)
                yield torch.einsum("bchw,c->bhw", (first - second).square(), next(stages))
