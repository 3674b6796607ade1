"""Lightning's strategy for a mesh: replicas, shards, parts of sequences, parts of matrices; from one rank to thousands.

--trainer.strategy training.parallel.MeshStrategy --trainer.strategy.mesh.shard 8 --trainer.strategy.mesh.context 2
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy, ParallelStrategy, Strategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer

from moviegen.errors import UsageError
from training.checkpoint import CheckpointError, check_checkpoint
from training.parallel.export import export_together
from training.parallel.mesh import DATA, MeshSizes, build_mesh, part
from training.parallel.meta import spread
from training.parallel.save import NOT_WANTED, ShardedSaver, load_sharded
from training.parallel.shard import average_gradients, mixed_precision, shard_network

PRECISIONS = {"32-true": False, "64-true": False, "bf16-mixed": True}
"""Lightning's precisions that there are here, and whether weights are gathered in bfloat16."""


class MeshStrategy(ModelParallelStrategy):
    """One stage on a mesh of ranks, on CPUs (gloo) or GPUs (NCCL)."""

    def __init__(
        self,
        mesh: MeshSizes | None = None,
        context_kind: Literal["ulysses", "gather"] = "ulysses",
        reduce_dtype: Literal["float32", "bfloat16"] = "float32",
        async_checkpoints: bool = True,
        meta_init: bool = False,
        timeout_minutes: float = 30.0,
        process_group_backend: str | None = None,
    ) -> None:
        """A mesh.

        Args:
            mesh: Its sizes, whose product is devices x num_nodes; when not given, all ranks share the weights (`shard`).
            context_kind: How ranks that share a sequence attend to all of it: `ulysses` deals heads out, `gather` collects keys and
                values, as in the paper [S §3.1.6].
            reduce_dtype: What gradients are summed in, with bf16-mixed precision.
            async_checkpoints: Whether training goes on while a checkpoint is written; it is copied to the CPU's memory first.
            meta_init: Whether the first rank alone builds and loads the transformer's weights, and sends the others their parts: for
                networks of which a machine cannot hold one copy a rank. Weights are those of one rank, with and without.
            timeout_minutes: Of communication; a rank that waits longer gives up.
            process_group_backend: `gloo` or `nccl`; by device when not given.
        """
        super().__init__(1, 1, True, process_group_backend, timedelta(minutes=timeout_minutes))
        self.sizes, self.context_kind = mesh, context_kind
        self.reduce_dtype, self.async_checkpoints, self.meta_init = reduce_dtype, async_checkpoints, meta_init
        self._saver: ShardedSaver | None = None

    def setup_environment(self) -> None:
        """Connects the ranks and builds the mesh. Raises UsageError when it does not fit their number."""
        ParallelStrategy.setup_environment(self)
        self._setup_distributed()
        self.sizes = self.sizes or MeshSizes(shard=self.world_size)
        self._device_mesh = build_mesh(self.sizes, self.root_device.type)
        self._cpu_group = dist.new_group(backend="gloo", timeout=self._timeout)
        self._saver = ShardedSaver(self._cpu_group, self.async_checkpoints)
        self.lightning_module._device_mesh = self._device_mesh  # type: ignore[union-attr]

    @property
    def is_divided(self) -> bool:
        """Whether there is more than one rank."""
        return self.world_size > 1

    @property
    def distributed_sampler_kwargs(self) -> dict[str, Any]:
        """Which samples are this rank's: those of one context and tensor group have the same."""
        data = part(self.device_mesh, DATA)
        return {"num_replicas": data.size(), "rank": data.get_local_rank()}

    def setup(self, trainer: Trainer) -> None:
        """Divides the networks, then makes the optimisers over what this rank has of them."""
        assert self.accelerator is not None
        assert self.model is not None
        self.accelerator.setup(trainer)
        if self.is_divided:
            self._divide(self.lightning_module)
        self.model = self.precision_plugin.convert_module(self.model)
        self.model_to_device()
        self.barrier()
        if trainer.state.fn == TrainerFn.FITTING:
            self.setup_optimizers(trainer)
        self.setup_precision_plugin()

    def _divide(self, module: Any) -> None:
        assert self.sizes is not None
        networks = module.sharded()
        if not networks and self.sizes.context * self.sizes.tensor > 1:
            raise UsageError(
                f"trainer.strategy.mesh: {type(module).__name__} has no transformer to divide by context {self.sizes.context} and tensor "
                f"{self.sizes.tensor}; set both to 1, and shard or replicate to the number of ranks"
            )
        if (
            getattr(module, "lora", None) is not None
        ):  # they are merged by one rank, which has but a part of the weights here
            raise UsageError(
                "model.lora: adapters train beside whole weights: --trainer.strategy ddp instead of a mesh"
            )
        if (precision := self.precision_plugin.precision) not in PRECISIONS:
            raise UsageError(f"trainer.precision {precision}: on a mesh one of {', '.join(PRECISIONS)}")
        policy = mixed_precision(PRECISIONS[precision], self.reduce_dtype == "bfloat16")

        def divide() -> None:
            for network in networks:
                self._split(network)
                shard_network(network, self.device_mesh, policy)

        if self.meta_init:
            spread(module, networks, divide, self.root_device)
        else:
            divide()

    def _split(self, network: nn.Module) -> None:
        """Divides matrices and sequences, before weights are sharded."""
        assert self.sizes is not None
        if self.sizes.tensor > 1:
            from training.parallel.tensor import split_tensors

            split_tensors(network, self.device_mesh["tensor"])
        if self.sizes.context > 1:
            from training.parallel.context import split_context

            split_context(network, self.device_mesh["context"], self.context_kind)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Averages the gradients that no sharded network averages."""
        super().post_backward(closure_loss)
        if self.is_divided:
            average_gradients(self.lightning_module.trained().parameters(), self.device_mesh)  # type: ignore[union-attr]

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """All weights, this rank's part of those that are divided."""
        assert self.lightning_module is not None
        return self.lightning_module.state_dict()

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """The inverse of `lightning_module_state_dict`."""
        Strategy.load_model_state_dict(self, checkpoint, strict)

    @property
    def lightning_restore_optimizer(self) -> bool:
        """Optimisers are restored as with any strategy, each rank's part on that rank."""
        return True

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """An optimiser's state, this rank's part of what is divided."""
        return Strategy.optimizer_state(self, optimizer)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """The inverse of `optimizer_state`."""
        Strategy.load_optimizer_state_dict(self, checkpoint)

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        """Writes this rank's part; where `async_checkpoints` is on, while training goes on."""
        if not self.is_divided:
            self.checkpoint_io.save_checkpoint(checkpoint, filepath, storage_options)
            return
        assert self._saver is not None
        self._saver.save(checkpoint, Path(self.broadcast(filepath)))

    def wait_for_checkpoint(self) -> None:
        """Waits for the checkpoint that is being written. Raises what went wrong with it."""
        if self._saver is not None:
            self._saver.wait()

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """This rank's part of a checkpoint, of any mesh's."""
        if not self.is_divided:
            return self.checkpoint_io.load_checkpoint(checkpoint_path)
        path = Path(self.broadcast(checkpoint_path))
        self._check(path)
        return load_sharded(path, _Layout(self.lightning_module, self.optimizers), self._cpu_group)

    def _check(self, path: Path) -> None:
        """Has each rank sum a share of a checkpoint's files. Raises CheckpointError on all when one of them finds a fault."""
        fault = ""
        try:
            check_checkpoint(path, self.global_rank, self.world_size)
        except CheckpointError as error:
            fault = str(error)
        faults = [""] * self.world_size
        dist.all_gather_object(faults, fault, group=self._cpu_group)
        if found := [each for each in faults if each]:
            raise CheckpointError(found[0])

    def remove_checkpoint(self, filepath: Any) -> None:
        """Deletes a checkpoint, on the first rank."""
        if self.is_global_zero:
            self.checkpoint_io.remove_checkpoint(filepath)

    def together(self, export: Callable[[], None]) -> None:
        """Calls what writes a model folder on the first rank, with weights gathered from all; to be called on all ranks."""
        if not self.is_divided:
            export()
            return
        networks = self.lightning_module.sharded()  # type: ignore[union-attr]
        export_together(export, networks, self._cpu_group, self.is_global_zero)

    def teardown(self) -> None:
        """Waits for the checkpoint that is being written."""
        try:
            self.wait_for_checkpoint()
        finally:
            super().teardown()


class _Layout:
    """Path of a tensor in a checkpoint -> the live tensor that is divided as it is to be."""

    def __init__(self, module: Any, optimizers: list[Optimizer]) -> None:
        self._weights: dict[str, Tensor] = module.state_dict()
        self._trained = dict(module.trained().named_parameters())
        self._parameters = [[p for group in o.param_groups for p in group["params"]] for o in optimizers]

    def __call__(self, path: tuple[Any, ...]) -> Tensor | None:
        match path:
            case ("state_dict", name):
                return self._weights.get(name)
            case ("optimizer_states", *_) if not self._parameters:  # validation has no optimiser
                return NOT_WANTED
            case ("optimizer_states", int(number), "state", int(index), _):
                own = self._parameters[number] if number < len(self._parameters) else []
                return own[index] if index < len(own) else None
            case ("callbacks", _, "means", name):
                return self._trained.get(name)
        return None
