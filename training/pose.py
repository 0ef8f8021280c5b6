"""Training of pose networks: heatmaps of every stack against Gaussians at the keypoints."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import models
from models.heatmap_targets import exact_targets
from models.heatmaps import decode_dark
from models.keypoints import LSP_14, Skeleton
from training.loop import (
    append_csv,
    load_state,
    moving_average,
    one_cycle_learning_rate,
    save_state,
    set_learning_rate,
    watched_epochs,
)
from training.lsp_datasets import LspPersons
from training.pose_augment import PoseAugmentation
from training.pose_crops import Crops, square_crops
from training.pose_losses import location_cross_entropy, stacked_joints_mse
from training.pose_metrics import torso_pck

COLUMNS = ("epoch", "loss", "squared", "location", "learning_rate", "PCK@0.2")
STRIDE = 4


@dataclass(frozen=True)
class PoseTrainingRecipe:
    """Everything that decides how a network comes out, apart from its data.

    Attributes:
        network: a name of `models.names()` whose networks map (B, 3, S, S) to heatmaps (B, stacks, K, S/4, S/4).
        arguments: its keyword arguments, without `num_keypoints`.
        size: side S of the crops.
        mean: colour that is taken off, as the manifest's preprocessing says it.
        learning_rate: the highest rate of AdamW's one-cycle schedule.
        weight_decay: decoupled.
        sigma: of the Gaussians, in heatmap pixels.
        location_weight: of `location_cross_entropy` beside the squared error; falls evenly to nothing at the end, so
            that heights of peaks come out as the squared error wants them.
        degrees, scale, shift, colour, cover_probability: see `PoseAugmentation`.
        ema_decay: of the weights' moving average, which is what is kept; 0 keeps the last weights.
        held_out: training persons that are never trained on, to watch progress.
    """

    network: str = "hourglass_bearpaw"
    arguments: dict[str, object] = field(default_factory=dict)
    size: int = 256
    mean: tuple[float, float, float] = (0.4404, 0.4440, 0.4327)
    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    sigma: float = 1.25
    location_weight: float = 5.0
    degrees: float = 40.0
    scale: float = 1.35
    shift: float = 0.08
    colour: float = 0.25
    cover_probability: float = 0.3
    ema_decay: float = 0.999
    held_out: int = 200
    seed: int = 0


def train(
    data: LspPersons,
    recipe: PoseTrainingRecipe,
    out: Path,
    command: str,
    report: Callable[[str], None],
    validate_every: int = 5,
) -> Path:
    """Train a network, resuming from `out` if an earlier run of the same recipe was cut off.

    Written to `out`: `last.pt` (to resume), `curves.csv`, and at the end `model.safetensors` (float16) and `card.json`
    (recipe, data, command).

    Args:
        data: persons to learn from.
        recipe: how to train; chance comes from its seed alone, so two runs agree up to the kernels' rounding.
        out: folder to write to.
        command: the command line, for the card.
        report: receives a line now and then.
        validate_every: epochs between evaluations on the held-out persons.

    Returns:
        The path of the safetensors file.

    Raises:
        ValueError: there are too few persons, or `out` holds a run of another recipe.
        FloatingPointError: the loss is no longer finite.
    """
    out.mkdir(parents=True, exist_ok=True)
    if len(data) < recipe.held_out + 2:
        raise ValueError(f"{data.source} are too few to hold {recipe.held_out} out and to train on the rest")
    kept, watched = _split(len(data), recipe.held_out, recipe.seed)
    crops = square_crops(data, recipe.size * 5 // 4)
    run = _Run.start(recipe, LSP_14, out)
    report(f"{data.source}; {len(kept)} to train on, {len(watched)} held out")
    for epoch in watched_epochs(run.epoch, recipe.epochs):
        figures = {"epoch": epoch + 1, **run.train_epoch(crops.subset(kept), epoch)}
        last = epoch + 1 == recipe.epochs
        if len(watched) and (last or (epoch + 1) % validate_every == 0):
            figures["PCK@0.2"] = run.watch(crops.subset(watched))
            report(f"epoch {epoch + 1}: loss {figures['loss']:.3f}; held-out persons: PCK {figures['PCK@0.2']:.3f}")
        append_csv(out / "curves.csv", COLUMNS, figures)
        run.save(out, epoch + 1)
    return _write_result(run, data.source, len(kept), command, out)


def _split(count: int, held_out: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.random.default_rng((seed, 1)).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


@dataclass
class _Run:
    recipe: PoseTrainingRecipe
    skeleton: Skeleton
    network: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    device: torch.device
    epoch: int = 0

    @classmethod
    def start(cls, recipe: PoseTrainingRecipe, skeleton: Skeleton, out: Path) -> "_Run":
        torch.manual_seed(recipe.seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = models.create(recipe.network, num_keypoints=len(skeleton), **recipe.arguments)
        network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = moving_average(network, recipe.ema_decay)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        run = cls(recipe, skeleton, network, average, optimizer, device)
        run.epoch = load_state(out / "last.pt", asdict(recipe), network, average, optimizer)
        return run

    def save(self, out: Path, epoch: int) -> None:
        save_state(out / "last.pt", asdict(self.recipe), self.network, self.average, self.optimizer, epoch)

    def averaged_network(self) -> nn.Module:
        return self.network if self.average is None else self.average.module

    def train_epoch(self, crops: Crops, epoch: int) -> dict[str, float]:
        recipe, rng = self.recipe, np.random.default_rng((self.recipe.seed, epoch))
        augment = PoseAugmentation(
            recipe.size,
            self.skeleton.flip_permutation,
            recipe.degrees,
            recipe.scale,
            recipe.shift,
            colour=recipe.colour,
            cover_probability=recipe.cover_probability,
        )
        order = rng.permutation(len(crops.images))
        # One person alone has no batch statistics where maps shrink to a pixel.
        batches = [order[i : i + recipe.batch_size] for i in range(0, len(order) - 1, recipe.batch_size)]
        sums = np.zeros(3)
        self.network.train()
        for step, batch in enumerate(batches):
            progress = (epoch + step / len(batches)) / recipe.epochs
            set_learning_rate(self.optimizer, one_cycle_learning_rate(progress, recipe.learning_rate))
            sums += self._step(crops.subset(batch), augment, rng, recipe.location_weight * (1 - progress))
        loss, squared, location = (sums / len(batches)).tolist()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}; lower the learning rate")
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": loss, "squared": squared, "location": location, "learning_rate": rate}

    def _step(
        self, crops: Crops, augment: PoseAugmentation, rng: np.random.Generator, location_weight: float
    ) -> NDArray[np.float64]:
        views, points, mirrored = augment(crops.images, crops.points, rng)
        swapped = crops.visible[:, list(self.skeleton.flip_permutation)]
        visible = torch.from_numpy(np.where(mirrored[:, None], swapped, crops.visible))
        heatmaps = self._heatmaps(self.network, views)
        squared, location = self._losses(heatmaps, points.to(self.device), visible.to(self.device))
        loss = squared + location_weight * location
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return np.array([part.item() for part in (loss, squared, location)])

    def _heatmaps(self, network: nn.Module, views: Tensor) -> Tensor:
        """Heatmaps (B, stacks, K, S/4, S/4) float32 of views (B, 3, S, S) in 0..1."""
        mean = torch.tensor(self.recipe.mean).view(3, 1, 1)
        batch = (views - mean).to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            heatmaps: Tensor = network(batch)
        return heatmaps.float()

    def _losses(self, heatmaps: Tensor, points: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """The squared error of whole maps and the location's cross-entropy, summed over stacks."""
        size = (heatmaps.shape[3], heatmaps.shape[4])
        located = (points + 0.5) / STRIDE - 0.5
        targets, inside = exact_targets(located, size, self.recipe.sigma)
        squared = stacked_joints_mse(heatmaps, targets, visible.float()) * size[0] * size[1]
        narrow, _ = exact_targets(located, size, self.recipe.sigma / 2)
        counted = (visible & inside).float()[:, None].expand(heatmaps.shape[:3])
        location = location_cross_entropy(heatmaps, narrow[:, None], counted) * heatmaps.shape[1]
        return squared, location

    @torch.inference_mode()
    def watch(self, crops: Crops) -> float:
        """PCK@0.2 of the averaged network in crops as they are, without the mirrored ones."""
        network = self.averaged_network().eval()
        side, found = self.recipe.size, []
        for start in range(0, len(crops.images), 50):
            pixels = torch.from_numpy(crops.images[start : start + 50]).permute(0, 3, 1, 2).float() / 255
            views = nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
            points, _ = decode_dark(self._heatmaps(network, views)[:, -1].cpu(), self.recipe.sigma)
            found.append((points + 0.5) * STRIDE * crops.images.shape[1] / side - 0.5)
        ends = self.skeleton.keypoints.index("left_shoulder"), self.skeleton.keypoints.index("right_hip")
        return torso_pck(torch.cat(found).numpy(), crops.points, crops.visible, ends).mean


def _write_result(run: _Run, source: str, persons: int, command: str, out: Path) -> Path:
    network = copy.deepcopy(run.averaged_network()).half()
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    path = out / "model.safetensors"
    arguments = run.recipe.arguments | {"num_keypoints": len(run.skeleton)}
    save_file(state, path, metadata={"network": run.recipe.network, "arguments": json.dumps(arguments)})
    card = {
        "network": run.recipe.network,
        "recipe": asdict(run.recipe),
        "skeleton": run.skeleton.name,
        "data": source,
        "training_persons": persons,
        "command": command,
    }
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    return path
