"""Settings: the only reader of the environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _names(value: object) -> object:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def with_driver(url: str) -> str:
    """The URL of a database as PostgreSQL's own tools take it, as SQLAlchemy does; others stay."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme in ("postgres", "postgresql") else url


class Settings(BaseSettings):
    """Everything an operator can choose; each field is also `GAITKEEPER_<FIELD>` in the environment."""

    model_config = SettingsConfigDict(env_prefix="GAITKEEPER_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    data_dir: Path = Field(Path("data"), description="Folder that holds everything the service writes.")
    database_url: Annotated[str, AfterValidator(with_driver)] | None = Field(
        None, description="Database of galleries and keys: postgresql://…; files in the data folder if not given."
    )
    weights_dir: Path | None = Field(None, description="Folder with manifest.toml; the bundled one if not given.")
    reid_model: str = Field("resnet18-market1501-compact", description="Checkpoint of the manifest that embeds crops.")
    pose_models: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_names)] = Field(
        None,
        description="Checkpoints that find keypoints, with commas between; the first is the default. Those that are"
        " in the weights folder if not given.",
    )
    gait_models: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_names)] = Field(
        None,
        description="Checkpoints that tell ages from gait, with commas between; the first is the default. Those that"
        " are in the weights folder if not given.",
    )
    gait_max_frames: int = Field(1000, ge=2, description="Silhouettes of one walk.")
    gait_max_pixels: int = Field(300_000_000, ge=1, description="Of all silhouettes of one walk together.")
    gait_max_unpacked_bytes: int = Field(200_000_000, ge=1, description="Of an archive of silhouettes.")
    video_max_frames: int = Field(9000, ge=1, description="Longer videos are refused.")
    video_max_seconds: int = Field(
        120, ge=1, description="A video that takes more CPU time to decode, or to look at, is given up."
    )
    detector: str = Field(
        "hog",
        description="What finds persons where there are no boxes: hog, exported, or a checkpoint of the manifest.",
    )
    detector_descriptor: Path | None = Field(None, description="File that describes the exported detector.")
    detector_min_score: float | None = Field(None, ge=0, le=1, description="Found persons below are left out.")
    detector_max_pixels: int = Field(
        1_000_000,
        ge=10_000,
        description="The detector hog brings pictures to so many pixels at most; more find smaller people, in"
        " proportion more slowly.",
    )
    index_exact_below: int = Field(
        20_000,
        ge=1,
        description="A gallery with fewer shots is searched shot by shot; from so many on, in the likeliest of the"
        " lists that are learned from it in the background.",
    )
    index_codes: Literal["auto", "float32", "float16", "int8"] = Field(
        "auto",
        description="How lists hold embeddings in memory: float32, as they are; float16, rounded, in half of it; int8,"
        " a byte a number to look through and half precision to order what was found, in three quarters of it. auto"
        " takes float32 up to 4 GiB of embeddings, then int8.",
    )
    index_recall: float = Field(
        0.98,
        gt=0,
        le=1,
        description="Share of the ten most similar shots that lists have to find, measured when learned.",
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    runtime: Literal["auto", "torch", "onnxruntime", "openvino"] = Field(
        "auto", description="What computes networks; auto takes the fastest that agrees with torch."
    )
    precision: Literal["fp32", "bf16", "int8"] = Field(
        "fp32",
        description="bf16 is faster and less exact, int8 more so; `gaitkeeper evaluate precision` says by how much."
        " int8 needs the files that `gaitkeeper quantize` writes.",
    )
    threads: int = Field(0, ge=0, description="Threads of one forward pass on the CPU; 0 takes every core.")
    prepare_workers: int = Field(2, ge=1, le=64, description="Threads that decode and resize pictures.")
    max_batch: int = Field(
        0, ge=0, le=256, description="Crops in one forward pass; 0 tries at each start which size is the fastest."
    )
    max_waiting: int = Field(96, ge=1, description="Crops that may be inside at once; beyond, callers get 503.")
    max_waiting_per_client: int = Field(
        72, ge=1, description="Those of one client address; beyond, it gets 429. A single request always fits."
    )
    max_waiting_bytes: int = Field(
        1_000_000_000, ge=1, description="Bytes of request bodies inside at once, and of prepared items."
    )
    max_wait_seconds: float = Field(
        10, gt=0, description="Nobody waits longer for a network; who would is refused at once with 503."
    )
    interactive_items: int = Field(
        8, ge=1, description="Requests with more pictures are bulk work, which lets the others go first."
    )
    canary_seconds: float = Field(
        15, gt=0, description="Between two checks of a network's golden sample, and how long one may take."
    )
    hang_seconds: float = Field(120, gt=0, description="A forward pass that takes longer has hung; it is replaced.")
    max_image_bytes: int = Field(20_000_000, ge=1)
    max_image_pixels: int = Field(50_000_000, ge=1)
    min_image_side: int = Field(8, ge=1, description="Pictures with a shorter side are refused.")
    max_images: int = Field(64, ge=1, description="Pictures in one request.")
    max_body_bytes: int = Field(100_000_000, ge=1)
    patience_seconds: float = Field(
        20,
        gt=0,
        description="How long a request's head may take, its body (which has a second more for every 1000 bytes), and a"
        " client that does not read its answer.",
    )
    keep_alive_seconds: int = Field(
        75, ge=1, description="Idle connections are closed after this; a balancer's own limit should be shorter."
    )
    leave_seconds: float = Field(
        5, ge=0, description="After SIGTERM /readyz fails at once, and everything else is served on for so long."
    )
    finish_seconds: int = Field(20, ge=0, description="Then the requests inside have so long to finish.")
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        (), description="Web pages of these origins may call the service, with commas between; none if not given."
    )
    access: Literal["auto", "keys", "open"] = Field(
        "auto", description="Who needs an API key: auto asks once there are keys, and is open on loopback alone."
    )
    quota_requests: int = Field(0, ge=0, description="Requests of one caller in a minute; 0 is no limit.")
    quota_images: int = Field(0, ge=0, description="Its pictures in a minute.")
    quota_kilobytes: int = Field(0, ge=0, description="Its uploads in a minute.")
    offline: bool = Field(False, description="Never fetch anything from the network.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    traces: Literal["off", "console", "otlp"] = Field("off", description="Where OpenTelemetry spans go.")
    traces_endpoint: str | None = Field(None, description="URL for otlp; OpenTelemetry's own default if not given.")
