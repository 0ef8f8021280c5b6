"""Training of networks that tell an age from a gait energy image."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import models
from models.backbones.glcnn import GLCNN, initialise
from training.gait_evaluation import GaitScores, answers, score_ages
from training.gait_losses import ordinal_loss
from training.gait_sets import UNKNOWN, GeiSet
from training.loop import (
    append_csv,
    load_state,
    moving_average,
    one_cycle_learning_rate,
    save_state,
    set_learning_rate,
    watched_epochs,
)

COLUMNS = ("epoch", "loss", "age", "gender", "learning_rate", "MAE", "CS(5)")


@dataclass(frozen=True)
class GaitRecipe:
    """Everything that decides how a network comes out, apart from its data.

    Attributes:
        input_size: (height, width) of the gait energy images, (64, 44) or (128, 88).
        num_ages: questions "older than k?", so that ages 0 to `num_ages` can be told.
        distribution_weight: of the ordinal distribution loss beside the cross-entropy; 0 leaves it out.
        gender_weight: of the cross-entropy of the gender; walks of unknown gender do not count.
        epochs: passes through the walks.
        batch_size: walks a step; half of them are mirrored.
        learning_rate: the highest rate of AdamW's one-cycle schedule.
        weight_decay: decoupled.
        ema_decay: of the weights' moving average, which is what is kept; 0 keeps the last weights.
        held_out: training walks that are never trained on, to watch progress and to fit intervals on.
        seed: fixes every random choice.
    """

    input_size: tuple[int, int] = (64, 44)
    num_ages: int = 90
    distribution_weight: float = 1.0
    gender_weight: float = 0.1
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    ema_decay: float = 0.999
    held_out: int = 1000
    seed: int = 0


def held_out_split(count: int, held_out: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the walks to train on and of those that are held out.

    Raises:
        ValueError: nothing would be left to train on.
    """
    if held_out >= count:
        raise ValueError(f"{held_out} of {count} walks are to be held out, which leaves none to train on")
    order = np.random.default_rng((seed, 1)).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def train(
    data: GeiSet,
    recipe: GaitRecipe,
    out: Path,
    command: str,
    report: Callable[[str], None],
    validate_every: int = 1,
) -> Path:
    """Train a GL-CNN, resuming from `out` if an earlier run of the same recipe was cut off.

    Written to `out`: `last.pt` (to resume), `curves.csv`, and at the end `model.safetensors` (float16) and `card.json`
    (recipe, data, command, figures on the held-out walks).

    Args:
        data: walks to learn from.
        recipe: how to train; chance comes from its seed alone, so two runs agree up to the kernels' rounding.
        out: folder to write to.
        command: the command line, for the card.
        report: receives a line now and then.
        validate_every: epochs between evaluations on the held-out walks.

    Returns:
        The path of the safetensors file.

    Raises:
        ValueError: `out` holds a run of another recipe, or the walks do not fit the recipe.
        FloatingPointError: the loss is no longer finite.
    """
    if data.geis.shape[1:] != recipe.input_size:
        raise ValueError(f"the gait energy images are {data.geis.shape[1:]}, not {recipe.input_size}")
    chosen, others = held_out_split(len(data), recipe.held_out, recipe.seed)
    kept, held_out = data.subset(chosen), data.subset(others)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run.start(recipe, out)
    report(f"{data.source}; {len(kept)} to train on, {len(held_out)} held out")
    for epoch in watched_epochs(run.epoch, recipe.epochs):
        figures: dict[str, float] = {"epoch": epoch + 1, **run.train_epoch(kept, epoch)}
        last = epoch + 1 == recipe.epochs
        if len(held_out) and (last or (epoch + 1) % validate_every == 0):
            scores = run.watch(held_out)
            figures |= {"MAE": scores.mae, "CS(5)": scores.cs5}
            report(
                f"epoch {epoch + 1}: loss {figures['loss']:.4f}; held-out walks:"
                f" MAE {scores.mae:.2f} years, CS(5) {scores.cs5:.3f}"
            )
        append_csv(out / "curves.csv", COLUMNS, figures)
        save_state(out / "last.pt", asdict(recipe), run.network, run.average, run.optimizer, epoch + 1)
    return _write_result(run, kept, held_out, command, out)


@dataclass
class _Run:
    recipe: GaitRecipe
    network: GLCNN
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    device: torch.device
    epoch: int = 0

    @classmethod
    def start(cls, recipe: GaitRecipe, out: Path) -> "_Run":
        torch.manual_seed(recipe.seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = models.create("glcnn", input_size=recipe.input_size, num_ages=recipe.num_ages)
        assert isinstance(network, GLCNN)
        initialise(network)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = moving_average(network, recipe.ema_decay)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        run = cls(recipe, network, average, optimizer, device)
        run.epoch = load_state(out / "last.pt", asdict(recipe), network, average, optimizer)
        return run

    def averaged_network(self) -> nn.Module:
        return self.network if self.average is None else self.average.module

    def train_epoch(self, walks: GeiSet, epoch: int) -> dict[str, float]:
        recipe, rng = self.recipe, np.random.default_rng((self.recipe.seed, epoch))
        torch.manual_seed(int(rng.integers(2**31)))
        order = rng.permutation(len(walks))
        batches = [order[i : i + recipe.batch_size] for i in range(0, len(order), recipe.batch_size)]
        sums = np.zeros(3)
        self.network.train()
        for step, batch in enumerate(batches):
            progress = (epoch + step / len(batches)) / recipe.epochs
            set_learning_rate(self.optimizer, one_cycle_learning_rate(progress, recipe.learning_rate))
            sums += self._step(walks.subset(batch), rng)
        loss, age, gender = (sums / len(batches)).tolist()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}; lower the learning rate")
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": loss, "age": age, "gender": gender, "learning_rate": rate}

    def _step(self, walks: GeiSet, rng: np.random.Generator) -> NDArray[np.float64]:
        mirrored = rng.uniform(size=len(walks)) < 0.5
        geis = np.where(mirrored[:, None, None], walks.geis[..., ::-1], walks.geis)
        batch = (torch.from_numpy(geis)[:, None].float() / 255).to(self.device)
        ages, genders = (torch.from_numpy(values).to(self.device) for values in (walks.ages, walks.genders))
        with torch.autocast(self.device.type, torch.bfloat16):
            _, of_age, of_gender = self.network(batch)
        age = ordinal_loss(of_age.float(), ages, self.recipe.distribution_weight)
        gender = _gender_loss(of_gender.float(), genders)
        loss = age + self.recipe.gender_weight * gender
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return np.array([part.item() for part in (loss, age, gender)])

    def watch(self, walks: GeiSet) -> GaitScores:
        network = self.averaged_network().eval()
        return score_ages(answers(network, walks.geis).age_logits, walks.ages)


def _gender_loss(logits: Tensor, genders: Tensor) -> Tensor:
    if bool((genders == UNKNOWN).all()):
        return logits.new_zeros(())
    return F.cross_entropy(logits, genders, ignore_index=UNKNOWN)


def _write_result(run: _Run, walks: GeiSet, held_out: GeiSet, command: str, out: Path) -> Path:
    network = copy.deepcopy(run.averaged_network()).half()
    path = out / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    card = {
        "network": "glcnn",
        "recipe": asdict(run.recipe),
        "data": walks.source,
        "training_walks": len(walks),
        "gender": run.recipe.gender_weight > 0 and bool((walks.genders != UNKNOWN).any()),
        "command": command,
        "held_out": asdict(run.watch(held_out)) if len(held_out) else {},
    }
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    return path
