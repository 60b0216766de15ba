"""`instructedit serve`: the page and the HTTP API, for one person or for many."""

import argparse
import importlib.util
import signal
import sys
import warnings
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.request import door_of, workspace_of
from instructedit_models.errors import ModelUnavailableError

if TYPE_CHECKING:
    from agent.service.limits import ServiceLimits

__all__ = ["configure"]

_PORT = 8008
_PACKAGES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}
_EXAMPLES = """\
examples:
  instructedit serve
  instructedit serve --host 0.0.0.0 --token-file tokens.txt --allow-host pictures.example.org

docs/http.md has the routes, docs/operating.md how to run it for others.
"""


def configure(commands: Commands) -> None:
    """Adds `serve`."""
    parser = commands.add_parser(
        "serve",
        help="serve the web page and the HTTP API",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_door(parser, _PORT)
    parser.add_argument(
        "--behind-proxy",
        action="store_true",
        help="a proxy on this machine passes requests on: believe its X-Forwarded-For and -Proto",
    )
    parser.add_argument("--workspace", metavar="DIR", help="where conversations are kept (default: as for chat)")
    parser.add_argument(
        "--grace", type=_seconds, default=30.0, metavar="SECONDS", help="for the running job at a stop (default: 30)"
    )
    limits = parser.add_argument_group("limits")
    for name, words in (
        ("picture-bytes", "of a picture's file (default: 20,000,000)"),
        ("picture-pixels", "of a picture (default: 40,000,000)"),
        ("waiting-jobs", "jobs that may wait (default: 64)"),
        ("waiting-jobs-each", "jobs of one client that may wait (default: 16)"),
        ("requests-a-minute", "of one client; 0 for no limit (default: 600)"),
    ):
        limits.add_argument(f"--{name}", type=_count, metavar="N", help=words)
    options.add_llm(parser)
    options.add_retries(parser)
    options.add_models(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Serves until Ctrl-C or SIGTERM; the running job is then ended, or put back into the queue."""
    missing = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ModelUnavailableError(
            f"`instructedit serve` needs {' and '.join(missing)}; run `pip install 'instructedit[server]'`."
        )
    door = door_of(args, _PORT)
    output.quiet_libraries()
    with warnings.catch_warnings():
        if not output.debug:
            warnings.simplefilter("ignore")
        from agent.faces.door import listen
        from agent.faces.server.app import build_app
        from agent.faces.server.logs import switch_on
        from agent.faces.server.making import session_maker
        from agent.service.service import Service
        from tools.workspace import Workspace

        new_session, names, clicks = session_maker(args)
        switch_on(sys.stderr)
        with listen(door) as listening, Workspace(workspace_of(args)) as workspace:
            service = Service(workspace, new_session, _limits(args), names=names, clicks=clicks)
            try:
                url = _address(door.host, listening.getsockname()[1])
                output.note(f"Open {url} and stop with Ctrl-C.")
                if output.as_json:
                    output.result({"url": url, "models": names[0], "llm": names[1]}, "")
                    sys.stdout.flush()
                _serve(build_app(service, door), listening, args.behind_proxy, service.stopping)
            finally:
                service.close(args.grace)


def _serve(app: Any, listening: Any, behind_proxy: bool, stopping: Any) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """Says at once that it stops, so that event streams end and nothing new is taken on."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            stopping.set()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=behind_proxy,
        forwarded_allow_ips="127.0.0.1",
        limit_concurrency=512,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
    )
    # Once it has stopped, uvicorn raises again the signal that stopped it; the service still has to be closed then.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _limits(args: argparse.Namespace) -> "ServiceLimits":
    from agent.service.limits import ServiceLimits

    names = ("picture_bytes", "picture_pixels", "waiting_jobs", "waiting_jobs_each", "requests_a_minute")
    return ServiceLimits(**{name: getattr(args, name) for name in names if getattr(args, name) is not None})


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}/"


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"expected a whole number, not {text[:20]!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"expected 0 to 3600 seconds, not {text[:20]!r}")
    return value
