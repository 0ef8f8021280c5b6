"""Walking figures of a known age: a parametric body, its gait, a camera and the noise of background subtraction."""

from training.walker.walk import Walk, render_walk

__all__ = ["Walk", "render_walk"]
