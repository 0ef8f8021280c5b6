"""Client of Gaitkeeper: person re-identification, pose and gait age over REST."""

from gaitkeeper.client import AsyncClient, Client
from gaitkeeper.errors import GaitkeeperError, ProblemError, UnreachableError
from gaitkeeper.retry import Retry

__all__ = ["AsyncClient", "Client", "GaitkeeperError", "ProblemError", "Retry", "UnreachableError"]
