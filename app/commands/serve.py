"""`gaitkeeper serve`: the HTTP service."""

import logging
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from app.commands.console import fail, say
from app.settings import Settings

BACKLOG = 4096
"""Connections that the kernel keeps until they are looked at; one that it drops tries again after a second or more."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder for everything that is written.", show_default="data")
    ] = None,
) -> None:
    """Serve the bundled networks and the galleries over HTTP.

    Every setting can also be given as GAITKEEPER_<NAME> in the environment; an option wins.
    """
    given: dict[str, Any] = {"host": host, "port": port, "data_dir": data_dir}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
    say("loading networks …")
    # Torch and the web stack take seconds to import; --help should not wait for them.
    import uvicorn

    from app.edge.process import begin
    from app.edge.protocol import guarded_protocol
    from app.edge.server import LeavingServer
    from app.main import create_app
    from app.telemetry.logs import configure_logging

    begin()
    configure_logging(settings.log_level, settings.log_format)
    signal.signal(signal.SIGTERM, _leave)
    try:
        app = create_app(settings)
    except (ImportError, ValueError) as error:
        fail(str(error))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        http=guarded_protocol(settings.patience_seconds),
        ws="none",
        timeout_keep_alive=settings.keep_alive_seconds,
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.finish_seconds,
        server_header=False,
    )
    # Bound first: a taken port should be told before networks are loaded.
    sockets = [config.bind_socket()]
    # Uvicorn would log what stops the start as a traceback; what is known is told below in one line.
    logging.getLogger("uvicorn.error").addFilter(lambda record: not hasattr(app.state, "startup_problem"))
    server = LeavingServer(config, lambda: setattr(app.state, "leaving", True), settings.leave_seconds)
    try:
        server.run(sockets)
    finally:
        if hasattr(app.state, "startup_problem"):
            fail(app.state.startup_problem)


def _leave(number: int, frame: FrameType | None) -> None:
    """End with exit code 0: uvicorn raises the signal again once it has drained.

    All that is kept is closed by then. To take torch and the runtimes apart would cost a second of CPU time, which on a
    busy machine is many seconds, while the next server waits for the data directory.
    """
    logging.shutdown()
    os._exit(0)
