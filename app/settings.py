"""Settings: the only reader of the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything an operator can choose; each field is also `GAITKEEPER_<FIELD>` in the environment."""

    model_config = SettingsConfigDict(env_prefix="GAITKEEPER_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    data_dir: Path = Field(Path("data"), description="Folder that holds everything the service writes.")
    weights_dir: Path | None = Field(None, description="Folder with manifest.toml; the bundled one if not given.")
    reid_model: str = Field("rga-market1501-compact", description="Checkpoint of the manifest that embeds crops.")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(0, ge=0, description="Threads of one forward pass on the CPU; 0 takes every core.")
    prepare_workers: int = Field(2, ge=1, le=64, description="Threads that decode and resize pictures.")
    max_batch: int = Field(8, ge=1, le=256, description="Crops in one forward pass.")
    max_waiting: int = Field(256, ge=1, description="Crops that may wait for the network; beyond, callers get 503.")
    max_image_bytes: int = Field(20_000_000, ge=1)
    max_image_pixels: int = Field(50_000_000, ge=1)
    min_image_side: int = Field(8, ge=1, description="Pictures with a shorter side are refused.")
    max_images: int = Field(64, ge=1, description="Pictures in one request.")
    max_body_bytes: int = Field(100_000_000, ge=1)
    offline: bool = Field(False, description="Never fetch anything from the network.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
