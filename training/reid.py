"""Training of re-identification networks: identity classification plus batch-hard triplets."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

import models
from models.backbones.rga import initialise, level_gates
from models.backbones.rrid import RRIDNet
from training.augment import COLOUR_ORDERS, ReidAugmentation, draw_colour_order
from training.datasets import ReidImages
from training.loop import (
    append_csv,
    load_state,
    moving_average,
    one_cycle_learning_rate,
    save_state,
    set_learning_rate,
    watched_epochs,
)
from training.reid_criteria import reid_loss
from training.reid_evaluation import evaluate, held_out_split
from training.samplers import anchor_batches, identity_batches

HEADS = ("cls.", "fc_")  # what only training needs
ATTENTION = "backbone.rga_att"  # what a host network lacks
RRID_TRUNK_RATE = 0.1  # of the rate of its new layers
COLUMNS = ("epoch", "loss", "classification", "triplet", "learning_rate", "rank1", "mAP")


@dataclass(frozen=True)
class ReidRecipe:
    """Everything that decides how a network comes out, apart from its data.

    Attributes:
        network: a name of `models.names()`.
        arguments: its keyword arguments, without `num_classes`.
        schedule: "rga", the paper's recipe (Adam, warm-up, halvings); "rrid", that of RRID (SGD, two steps, batches
            around anchors); or "one-cycle" (AdamW), which gets further in few epochs.
        epochs: passes in which each identity comes once with `images_per_id` images; with "rrid" each image does.
        learning_rate: the highest rate of the schedule.
        weight_decay: L2 for "rga", decoupled for "one-cycle".
        margin: of the triplet loss; None is the soft margin.
        ema_decay: of the weights' moving average, which is what is kept; 0 keeps the last weights.
        held_out: training identities that are never trained on, to watch progress and to fit the threshold.
        recolour_probability: how often a batch has its colour channels swapped, alike in all its images. A swap makes
            new identities of the batch's: clothes of other colours, five times as many again to tell apart.
        init: safetensors file to start from, all but the classifier; a network with attention also starts from its
            host without. "" starts from random weights.
    """

    network: str = "rga_sc_resnet50"
    arguments: dict[str, object] = field(default_factory=dict)
    schedule: str = "rga"
    epochs: int = 600
    ids_per_batch: int = 16
    images_per_id: int = 4
    learning_rate: float = 8e-4
    weight_decay: float = 5e-4
    smoothing: float = 0.1
    margin: float | None = 0.3
    colour_jitter: float = 0.0
    erase_probability: float = 0.5
    ema_decay: float = 0.0
    held_out: int = 0
    recolour_probability: float = 0.0
    init: str = ""
    seed: int = 0


def rga_learning_rate(epoch: float, base: float = 8e-4, warm_up_epochs: int = 20) -> float:
    """Learning rate at an epoch of the paper's schedule: linear warm-up from a hundredth, then halvings."""
    if epoch < warm_up_epochs:
        return base * (0.01 + 0.99 * epoch / warm_up_epochs)
    return float(base * 0.5 ** sum(epoch >= milestone for milestone in range(80, 361, 40)))


def rrid_learning_rate(epoch: float, base: float = 1e-2) -> float:
    """Learning rate of RRID's new layers; a tenth of it from the 40th epoch on, and a hundredth from the 60th."""
    return float(base * 0.1 ** sum(epoch >= milestone for milestone in (39, 59)))


def train(
    data: ReidImages,
    recipe: ReidRecipe,
    out: Path,
    command: str,
    report: Callable[[str], None],
    validate_every: int = 20,
) -> Path:
    """Train a network, resuming from `out` if an earlier run of the same recipe was cut off.

    Written to `out`: `last.pt` (to resume), `curves.csv`, and at the end `model.safetensors` (float16, with the
    classifier left out) and `card.json` (recipe, data, command, figures).

    Args:
        data: training images.
        recipe: how to train; chance comes from its seed alone, so two runs agree up to the kernels' rounding.
        out: folder to write to.
        command: the command line, for the card.
        report: receives a line now and then.
        validate_every: epochs between evaluations on the held-out identities.

    Returns:
        The path of the safetensors file.

    Raises:
        ValueError: `out` holds a run of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    kept, held_out = held_out_split(data, recipe.held_out, recipe.seed)
    identities, labels = np.unique(kept.identities, return_inverse=True)
    run = _Run.start(recipe, len(identities) * (len(COLOUR_ORDERS) if recipe.recolour_probability else 1), out)
    augment = ReidAugmentation(run.size, erase_probability=recipe.erase_probability, colour_jitter=recipe.colour_jitter)
    report(f"{data.source}: {len(kept)} images of {len(identities)} identities; {recipe.held_out} identities held out")
    for epoch in watched_epochs(run.epoch, recipe.epochs):
        rng = np.random.default_rng((recipe.seed, epoch))
        totals = run.train_epoch(kept, labels, augment, epoch, rng)
        figures: dict[str, float] = {"epoch": epoch + 1, **totals}
        last = epoch + 1 == recipe.epochs
        if held_out is not None and (last or (epoch + 1) % validate_every == 0):
            scores = evaluate(run.averaged_network(), held_out.query, held_out.gallery)
            figures |= {"rank1": scores.rank(1), "mAP": scores.mean_average_precision}
            report(
                f"epoch {epoch + 1}: loss {totals['loss']:.3f}; held-out identities:"
                f" rank-1 {scores.rank(1):.3f}, mAP {scores.mean_average_precision:.3f}"
            )
        append_csv(out / "curves.csv", COLUMNS, figures)
        if last or (epoch + 1) % 5 == 0:
            run.save(out, epoch + 1)
    return _write_result(run, recipe, data.source, len(identities), command, out)


@dataclass
class _Run:
    recipe: ReidRecipe
    network: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    size: tuple[int, int]
    device: torch.device
    epoch: int = 0

    @classmethod
    def start(cls, recipe: ReidRecipe, num_classes: int, out: Path) -> "_Run":
        torch.manual_seed(recipe.seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = models.create(recipe.network, num_classes=num_classes, **recipe.arguments)
        initialise(network)
        if recipe.init:
            level_gates(network)
            _load_all_but_classifier(network, Path(recipe.init))
        network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = moving_average(network, recipe.ema_decay)
        optimizer = _optimizer(recipe, network)
        run = cls(recipe, network, average, optimizer, network.input_size, device)
        run.epoch = load_state(out / "last.pt", asdict(recipe), network, average, optimizer)
        return run

    def save(self, out: Path, epoch: int) -> None:
        save_state(out / "last.pt", asdict(self.recipe), self.network, self.average, self.optimizer, epoch)

    def averaged_network(self) -> nn.Module:
        return self.network if self.average is None else self.average.module

    def train_epoch(
        self,
        images: ReidImages,
        labels: np.ndarray[tuple[int], np.dtype[np.int64]],
        augment: ReidAugmentation,
        epoch: int,
        rng: np.random.Generator,
    ) -> dict[str, float]:
        recipe, sums = self.recipe, np.zeros(3)
        draw = anchor_batches if recipe.schedule == "rrid" else identity_batches
        batches = draw(labels.tolist(), recipe.ids_per_batch, recipe.images_per_id, rng)
        self.network.train()
        for step, batch in enumerate(batches):
            self._set_learning_rate(epoch + step / len(batches))
            order = draw_colour_order(recipe.recolour_probability, rng)
            views = augment([images.images[i][..., COLOUR_ORDERS[order]] for i in batch], rng)
            crops = views.to(self.device, memory_format=torch.channels_last)
            target = torch.from_numpy(labels[batch] + order * (labels.max() + 1)).to(self.device)
            classification, triplet = reid_loss(self.network, crops, target, recipe.smoothing, recipe.margin)
            loss = classification + triplet
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            if self.average is not None:
                self.average.update_parameters(self.network)
            sums += [part.item() for part in (loss, classification, triplet)]
        means = sums / len(batches)
        if not math.isfinite(means[0]):
            raise FloatingPointError(f"the loss is {means[0]} in epoch {epoch + 1}; lower the learning rate")
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": means[0], "classification": means[1], "triplet": means[2], "learning_rate": rate}

    def _set_learning_rate(self, epoch: float) -> None:
        recipe = self.recipe
        if recipe.schedule == "rga":
            rate = rga_learning_rate(math.floor(epoch), recipe.learning_rate)
        elif recipe.schedule == "rrid":
            rate = rrid_learning_rate(math.floor(epoch), recipe.learning_rate)
        else:
            rate = one_cycle_learning_rate(epoch / recipe.epochs, recipe.learning_rate)
        set_learning_rate(self.optimizer, rate)


def _optimizer(recipe: ReidRecipe, network: nn.Module) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.schedule == "rga":
        return torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay)
    if recipe.schedule == "one-cycle":
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    if recipe.schedule != "rrid" or not isinstance(network, RRIDNet):
        raise ValueError(f"schedule {recipe.schedule!r} is not one of {recipe.network}; see --help")
    trunk = list(network.base.parameters())
    new = [parameter for name, parameter in network.named_parameters() if not name.startswith("base.")]
    groups = [{"params": new, "factor": 1.0}, {"params": trunk, "factor": RRID_TRUNK_RATE}]
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, weight_decay=decay)


def _load_all_but_classifier(network: nn.Module, path: Path) -> None:
    state = load_file(path)
    host = not any(name.startswith(ATTENTION) for name in state)
    fresh = (*HEADS, ATTENTION) if host else HEADS
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(fresh)}
    try:
        network.load_state_dict({name: t for name, t in state.items() if not name.startswith(HEADS)} | own)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the network: {error}") from error


def _write_result(run: _Run, recipe: ReidRecipe, source: str, num_classes: int, command: str, out: Path) -> Path:
    network = copy.deepcopy(run.averaged_network()).half()
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items() if not name.startswith(HEADS)}
    path = out / "model.safetensors"
    save_file(state, path, metadata={"network": recipe.network, "arguments": json.dumps(recipe.arguments)})
    card = {
        "network": recipe.network,
        "recipe": asdict(recipe),
        "data": source,
        "training_identities": num_classes,
        "command": command,
    }
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    return path
