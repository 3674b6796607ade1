"""Flow matching as a training step, for every network that predicts a velocity [S §3.1.2].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.draws import RowGenerator, draw
from moviegen.evaluation.inside import fixed_points
from moviegen.flow import flow_loss, flow_point, sample_t
from moviegen.models.catalog import kind_of
from moviegen.models.execution import Execution
from moviegen.models.lora import LoRAConfig, adapt, merged
from moviegen.models.text import TextContext, TextEncoder
from moviegen.pipelines.product_index import own_defaults
from moviegen.sampling import euler, linear_quadratic_t
from training.data.batch import Batch
from training.modules.stage import VALIDATION_SEED, StageModule
from training.modules.texts import FrozenTexts, hold_texts
from training.optim import OptimizerConfig


class FlowModule(StageModule):
    """Noise, t, loss; subclasses give the data, what it is conditioned on, and the network."""

    t_mean: float
    t_std: float

    def data_latents(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """x_1 of a batch, normalised; the posterior's mean when there is no generator."""
        raise NotImplementedError

    def condition(self, batch: Batch, x_1: Tensor, generator: torch.Generator | None) -> Any:
        """What `velocity` sees beside x_t and t, some of it dropped for guidance; nothing is dropped without a generator."""
        raise NotImplementedError

    def velocity(self, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        """The network's prediction, of x_t's shape."""
        raise NotImplementedError

    def flow_loss(self, prediction: Tensor, velocity: Tensor, condition: Any) -> Tensor:
        """Mean squared error of the velocity [S §3.1.2, Eq 2]."""
        return flow_loss(prediction, velocity)

    def loss_weight(self, batch: Batch, condition: Any) -> float | Tensor:
        """What this rank's loss is multiplied by, so that the mean over the ranks is the loss of the global batch."""
        return batch.weight

    def part(self, batch: Batch) -> str:
        """Kind of a batch, whose loss is logged by itself."""
        return getattr(batch, "part", "") or ("image" if batch.is_image else "video")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss at random t."""
        generator = self.generator(batch)
        x_1 = self.data_latents(batch, generator)
        x_0 = draw(torch.randn, x_1.shape, generator)
        t = sample_t(len(batch), generator, mean=self.t_mean, std=self.t_std)
        condition = self.condition(batch, x_1, generator)
        self._sample_shape = x_1.shape[1:]
        point = flow_point(x_0, x_1, t)
        loss = self.flow_loss(self.velocity(point.x_t, t, condition), point.velocity, condition)
        weight = self.loss_weight(batch, condition)
        self.log_batch({"loss": loss.detach(), f"loss_{self.part(batch)}": loss.detach()}, batch, weight)
        return loss * weight

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The loss on held-out samples at fixed t with fixed noise: comparable between steps and between runs."""
        x_1 = self.data_latents(batch, None)
        generator = RowGenerator.of(batch.rows, VALIDATION_SEED + batch_idx, x_1.device)
        x_0 = draw(torch.randn, x_1.shape, generator)
        condition = self.condition(batch, x_1, None)
        losses = [
            self.flow_loss(self.velocity(point.x_t, t, condition), point.velocity, condition)
            for t, point in fixed_points(x_0, x_1)
        ]
        self.log_validation({"loss": torch.stack(losses).mean()}, batch)


class TextFlowModule(FlowModule):
    """Flow matching under texts: subclasses give a network and its text encoders to `adopt`."""

    def __init__(
        self,
        train_text: bool = True,
        t_mean: float = 0.0,
        t_std: float = 1.0,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008
        seed: int = 0,
        execution: Execution = Execution(),  # noqa: B008
        lora: LoRAConfig | None = None,
        guidance_scale: float | None = None,
    ) -> None:
        """What every stage of flow matching is told.

        Args:
            train_text: Whether the text encoder is trained too; the paper's encoders are frozen [S App A.2], the tiny one is not.
            t_mean: Of the normal whose sigmoid is t; 0 and 1 are the paper's [S §3.1.2]. Below 0 there is more noise.
            t_std: Standard deviation of that normal.
            optimizer: Optimiser and lr schedule.
            seed: Of noise, t, dropped texts and of the initial weights.
            execution: Attention kernel, what is computed again in the backward, compiling; may change between two runs of a stage.
            lora: Adapters beside the network's frozen matrices, which alone are trained then; the network itself when not given.
            guidance_scale: Of the finished model where a call gives none; not given, that of a stage before of the same kind, else the
                product's own.
        """
        super().__init__(optimizer, seed)
        torch.manual_seed(seed)
        self.t_mean, self.t_std, self.train_text, self.execution = t_mean, t_std, train_text, execution
        self.lora, self.guidance_scale = lora, guidance_scale

    def adopt(self, network: nn.Module, encoders: Sequence[TextEncoder]) -> None:
        """Takes the network and the text encoders in."""
        self.network, self.text_encoders = network.train(), hold_texts(encoders)
        if self.lora is not None:
            adapt(network, self.lora, self.seed)
        self.execution.apply(network)
        is_frozen = isinstance(self.text_encoders, FrozenTexts) or self.lora is not None
        self.train_text = self.train_text and not is_frozen
        self.text_encoders.requires_grad_(self.train_text).train()

    def take_guidance(self, before: Path | str) -> None:
        """Where the stage says nothing of guidance it is that of the product it begins from."""
        if self.guidance_scale is None:
            self.guidance_scale = own_defaults(Path(before)).get("guidance_scale")

    def trained(self) -> nn.ModuleDict:
        """The network, and the text encoders where they train."""
        networks: dict[str, nn.Module] = {self.kind: self.network}
        return nn.ModuleDict({**networks, "text_encoders": self.text_encoders} if self.train_text else networks)

    def finished(self) -> nn.Module:
        """The network as it is exported and sampled from: adapters in its weights."""
        return merged(self.network)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves out what adapters are beside: `init_from` and its kin hold it, and their hashes are part of the stage's identity."""
        super().on_save_checkpoint(checkpoint)
        for name in self._beside_adapters():
            checkpoint["state_dict"].pop(name, None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The inverse of `on_save_checkpoint`."""
        super().on_load_checkpoint(checkpoint)
        checkpoint["state_dict"] = {**self._beside_adapters(), **checkpoint["state_dict"]}

    def _beside_adapters(self) -> dict[str, Tensor]:
        """Frozen weights by name, of a stage that trains adapters."""
        frozen = (row for row in self.named_parameters() if not row[1].requires_grad) if self.lora is not None else ()
        return {name: weight.detach() for name, weight in frozen}

    def sharded(self) -> list[nn.Module]:
        """The transformer."""
        return [self.network]

    def train(self, mode: bool = True) -> "TextFlowModule":
        """Training mode for what is trained; the rest stays in eval mode."""
        trained = set(self.trained().values())
        for child in self.children():
            child.train(mode and child in trained)
        self.training = mode
        return self

    def contexts(self, texts: Sequence[str] | list[TextContext], device: torch.device) -> list[TextContext]:
        """What the text encoders make of texts; features that were cached are given as they are."""
        if texts and isinstance(texts[0], TextContext):
            found = list(texts)
        else:
            found = [encoder.encode(texts, device) for encoder in self.text_encoders]  # type: ignore[union-attr,arg-type]
        self.num_text_tokens = sum(context.features.shape[1] for context in found)  # type: ignore[union-attr]
        return found  # type: ignore[return-value]

    def generate(self, batch: Batch, num_inference_steps: int) -> Tensor:
        """x_1 made under the conditions of a batch, without guidance, from noise that is the same every time."""
        like = self.data_latents(batch, None)
        x_0 = torch.randn(like.shape, generator=torch.Generator().manual_seed(VALIDATION_SEED)).to(like)
        condition = self.condition(batch, like, None)
        return euler(lambda x, t: self.velocity(x, t, condition), x_0, linear_quadratic_t(num_inference_steps))

    def sample_work(self, batch: Batch) -> tuple[int, float]:
        """Of the network, on latents and texts as long as these were."""
        from training.plan.work import work

        config: Any = self.network.config
        patch = getattr(config, "patch_size", (1,))
        places = self._sample_shape[1:] if len(self._sample_shape) == 4 else self._sample_shape[:1]
        tokens = math.prod(places) // math.prod(patch)
        counted = work(kind_of(self.network), config)
        flops = counted.train_flops(tokens, self.num_text_tokens)
        if self.lora is not None:  # frozen matrices have no gradient of their own
            attention = counted.num_layers * counted.attention(tokens, self.num_text_tokens)
            flops -= counted.forward_flops(tokens, self.num_text_tokens) - attention
        return tokens, flops

    def on_fit_start(self) -> None:
        """Moves the frozen text encoders to where the network is."""
        if isinstance(self.text_encoders, FrozenTexts):
            for encoder in self.text_encoders:
                encoder.to(self.device)  # type: ignore[attr-defined]


def drop(probability: float, batch: int, generator: torch.Generator | None, device: torch.device) -> list[bool]:
    """Of each sample, whether something is dropped; never without a generator."""
    if generator is None:
        return [False] * batch
    return (draw(torch.rand, (batch,), generator, device) < probability).tolist()


def without(texts: Sequence[str], dropped: Sequence[bool]) -> list[str]:
    """The texts, empty where dropped."""
    return ["" if drop else text for drop, text in zip(dropped, texts, strict=True)]
