"""The `gaitkeeper` command."""

import typer

from app.commands.audit import audit
from app.commands.backup import backup, restore
from app.commands.calibrate import calibrate
from app.commands.demo import demo
from app.commands.enroll import enroll
from app.commands.evaluate import evaluate
from app.commands.export import export
from app.commands.gait import gait
from app.commands.keys import keys
from app.commands.pose import pose
from app.commands.precision import precision
from app.commands.quantize import quantize
from app.commands.query import query
from app.commands.serve import serve
from app.commands.train import train
from app.commands.weights import weights

main = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Person re-ID, pose and gait age.")
main.command()(serve)
main.command()(demo)
main.command()(enroll)
main.command()(query)
main.command()(calibrate)
main.command()(pose)
main.command()(gait)
main.command()(export)
main.command()(quantize)
main.command()(backup)
main.command()(restore)
main.add_typer(weights, name="weights")
main.add_typer(train, name="train")
main.add_typer(evaluate, name="evaluate")
evaluate.command()(precision)
main.add_typer(keys, name="keys")
main.add_typer(audit, name="audit")
