"""Several servers over one workspace behind Ray Serve (extra `ray`): `python -m agent.faces.server.replicas --help`.

Each replica is a whole application with a worker of its own; the queue in SQLite gives every job to one of them.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from agent.faces import parser as options
from agent.faces.door import Door
from agent.faces.output import Output
from agent.faces.parser import Parser
from agent.faces.request import door_of
from agent.service.limits import ServiceLimits
from agent.service.service import Service
from instructedit_models.errors import InstructEditError, ModelUnavailableError

__all__ = ["main", "serve_replicas"]

NAME = "instructedit"
_PORT = 8008


def serve_replicas(
    make_service: Callable[[], Service], door: Door, count: int, options: dict[str, Any] | None = None
) -> None:
    """Starts replicas on the Ray of this machine and returns once they answer; `ray.serve.shutdown()` ends them.

    Args:
        make_service: opens the service inside a replica, with `alone=False`; must be picklable.
        door: where to listen and whom to let in.
        count: of replicas.
        options: of each replica's actor for Ray: `{"num_gpus": 1}` …

    Raises:
        ModelUnavailableError: ray is not installed.
    """
    try:
        from ray import serve
    except ImportError as error:
        raise ModelUnavailableError(
            "Replicas need Ray Serve; run `pip install 'instructedit[server,ray]' 'ray[serve]'`."
        ) from error
    from agent.faces.server.app import build_app

    def build() -> Any:
        return _Closing(build_app(service := make_service(), door), service)

    @serve.deployment(num_replicas=count, ray_actor_options=options or {}, max_ongoing_requests=512)
    @serve.ingress(build)
    class Replica:
        """One application."""

    serve.start(http_options={"host": door.host, "port": door.port})
    application: Any = Replica
    serve.run(application.bind(), name=NAME, route_prefix="/")


class _Closing:
    """An application that closes its service when it is shut down."""

    def __init__(self, app: Any, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "lifespan":
                self._service.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until Ctrl-C or SIGTERM; returns the exit code."""
    parser = Parser(prog="python -m agent.faces.server.replicas", description="Serve over several replicas.")
    parser.add_argument("--replicas", type=options.worker_count, default=2, metavar="N", help="(default: 2)")
    parser.add_argument("--gpus", type=float, default=0.0, metavar="N", help="GPUs of each replica (default: 0)")
    options.add_door(parser, _PORT)
    parser.add_argument("--workspace", metavar="DIR", help="on a disk of this machine")
    options.add_llm(parser)
    options.add_retries(parser)
    options.add_models(parser)
    output = Output()
    try:
        args = parser.parse_args(argv)
        door = door_of(args, _PORT)
        serve_replicas(_Maker(args), door, args.replicas, {"num_gpus": args.gpus} if args.gpus else None)
        output.note(f"{args.replicas} replicas serve on http://{door.host}:{door.port}/; stop with Ctrl-C.")
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        stopped.wait()
        from ray import serve

        serve.shutdown()
    except InstructEditError as error:
        output.error(error)
        return error.exit_code
    return 0


class _Maker:
    """Opens the service of a replica from the command line."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args

    def __call__(self) -> Service:
        from agent.faces.request import workspace_of
        from agent.faces.server.logs import switch_on
        from agent.faces.server.making import session_maker
        from tools.workspace import Workspace

        switch_on(sys.stderr)
        new_session, names, clicks = session_maker(self._args)
        workspace = Workspace(workspace_of(self._args))
        return Service(workspace, new_session, ServiceLimits(), names=names, clicks=clicks, alone=False)


if __name__ == "__main__":
    sys.exit(main())
