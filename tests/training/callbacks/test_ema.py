"""The running mean: its formula, its swap, its state."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from training.callbacks.ema import EMA


class Module:
    """As much of a StageModule as the callback sees."""

    def __init__(self) -> None:
        self.network = nn.Linear(3, 2)
        self.network.bias.requires_grad_(False)

    def trained(self) -> nn.ModuleDict:
        return nn.ModuleDict({"network": self.network})


def begin(ema, module, number):
    trainer = SimpleNamespace(global_step=number)
    ema.on_fit_start(trainer, module)
    ema.on_train_start(trainer, module)


def step(ema, module, number, value):
    with torch.no_grad():
        module.network.weight.fill_(value)
    ema.on_train_batch_end(SimpleNamespace(global_step=number), module, None, None, number)


def test_means_are_the_formulas():
    module, ema = Module(), EMA(0.9)
    with torch.no_grad():
        module.network.weight.fill_(1.0)
    begin(ema, module, 0)
    wanted = 1.0
    for number, value in enumerate((2.0, 5.0, -1.0, 4.0, 4.0), 1):
        step(ema, module, number, value)
        decay = min(0.9, (1 + number) / (10 + number))
        wanted = decay * wanted + (1 - decay) * value
        assert float(ema.means["network.weight"].mean()) == pytest.approx(wanted, rel=1e-5)
    assert list(ema.means) == ["network.weight"], "what does not train is not averaged"
    assert float(module.network.weight.detach().mean()) == 4.0


def test_batches_between_steps_change_nothing():
    module, ema = Module(), EMA(0.5)
    begin(ema, module, 3)
    step(ema, module, 3, 100.0)
    assert ema.num_updates == 0


def test_swapped_in_and_out_again():
    module, ema = Module(), EMA(0.0)
    begin(ema, module, 0)
    before = ema.means["network.weight"].clone()
    with torch.no_grad():
        module.network.weight.fill_(7.0)
    with pytest.raises(RuntimeError), ema.swapped_in(module):
        assert torch.equal(module.network.weight, before)
        raise RuntimeError
    assert bool((module.network.weight == 7.0).all())
    assert torch.equal(ema.means["network.weight"], before)


def test_state_round_trip():
    module, ema = Module(), EMA(0.9)
    begin(ema, module, 0)
    step(ema, module, 1, 3.0)
    other = EMA(0.9)
    other.load_state_dict(ema.state_dict())
    begin(other, module, 1)
    step(ema, module, 2, 9.0)
    step(other, module, 2, 9.0)
    assert torch.equal(ema.means["network.weight"], other.means["network.weight"])


def test_a_decay_of_1_is_refused():
    with pytest.raises(ValueError, match="0 <= decay < 1"):
        EMA(1.0)
