"""What an age from gait should not be trusted for, said with codes that never change."""

import numpy as np

from app.gait_uploads import Notice
from models.checkpoint import Checkpoint
from models.gait.age import AgeEstimate
from models.gait.gei import Gei
from models.gait.video import WatchedVideo

MIN_CYCLES = 1.0
MIN_QUALITY = 0.6
# Of CASIA-A's walks, all across the view swing more, and nearly all along it less (`docs/accuracy.md`).
MIN_SIDE_SWING = 0.21
# A pixel of a gait energy image this near to 0 or 1 is the same in every frame.
SAME = 1e-3


def notices_of_age(checkpoint: Checkpoint, age: AgeEstimate) -> tuple[Notice, ...]:
    """What the checkpoint and the answer itself give to think."""
    notices = []
    if any("synthetic" in name.lower() for name in checkpoint.trained_on):
        detail = f"{checkpoint.name} was trained on rendered walkers, not on people; take its ages for a demonstration"
        notices.append(Notice("synthetic_training_data", detail))
    if age.reaches_an_end:
        oldest = len(age.probabilities) - 1
        detail = f"the age may lie beyond the 0 to {oldest} years that the model can tell"
        notices.append(Notice("out_of_training_range", detail))
    return tuple(notices)


def notices_of_walk(gei: Gei) -> tuple[Notice, ...]:
    """What the silhouettes give to think."""
    notices = []
    if np.minimum(gei.image, 1 - gei.image).max() < SAME:
        detail = "every frame that can be used shows the same silhouette; there is no walk in them to tell an age by"
        notices.append(Notice("no_movement", detail))
    if gei.gait_cycles < MIN_CYCLES:
        seen = f"{gei.gait_cycles:.1f} gait cycles were seen" if gei.period_frames else "no steps were recognised"
        notices.append(Notice("too_few_cycles", f"{seen}; two cycles (four steps) or more make a steady answer"))
    if side_swing(gei) < MIN_SIDE_SWING:
        detail = "the legs hardly open in these silhouettes, as from in front or behind; that shows much less of an age"
        notices.append(Notice("view_not_side", detail))
    if gei.quality < MIN_QUALITY:
        detail = (
            f"silhouettes are torn, or change more than a walker's: quality {gei.quality:.2f}, usual is 0.7 to 0.95"
        )
        notices.append(Notice("low_quality_silhouettes", detail))
    return tuple(notices)


def notices_of_video(video: WatchedVideo) -> tuple[Notice, ...]:
    """What the video gives to think."""
    notices = []
    if video.camera_moves:
        detail = "the camera moves; silhouettes can only be cut out where it stands still"
        notices.append(Notice("camera_moves", detail))
    if not video.walks:
        notices.append(Notice("nobody_walks", "nobody was seen walking for long enough; ages need a second or more"))
    return tuple(notices)


def side_swing(gei: Gei) -> float:
    """How far the legs open and close, as a share of the body's height; largest when seen from the side."""
    low, high = np.quantile(gei.width_signal, (0.1, 0.9))
    return float(high - low)
