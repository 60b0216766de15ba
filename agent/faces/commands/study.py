"""`instructedit study serve | results`: which of two methods' results people prefer, asked blindly on a page."""

import argparse
import importlib.util
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from instructedit_models.errors import BadParameterError, ModelUnavailableError

if TYPE_CHECKING:
    from agent.study import Study
    from agent.study_votes import Pair

__all__ = ["configure"]

_VOTES = "votes.sqlite"
_EXAMPLES = """\
examples:
  instructedit run ours.yaml -o results/instructedit
  instructedit run theirs.yaml -o results/diffedit
  instructedit study serve results/
  instructedit study results results/ --json

docs/study.md says how a folder of results is laid out.
"""


def configure(commands: Commands) -> None:
    """Adds `study` and its two subcommands."""
    parser = commands.add_parser(
        "study",
        help="ask people which of two methods' results they prefer",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="study_command", metavar="COMMAND", required=True)
    serve = kinds.add_parser("serve", help="serve the page that asks, until Ctrl-C")
    serve.add_argument("folder", metavar="RESULTS", help="a folder with one folder of results per method")
    serve.add_argument(
        "--method", action="append", default=[], metavar="NAME", help="compare only these; give it once for each"
    )
    serve.add_argument("--against", metavar="NAME", help="compare this method with each other one, and no others")
    serve.add_argument("--votes", metavar="FILE", help=f"where votes are kept (default: RESULTS/{_VOTES})")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    serve.add_argument(
        "--port", type=options.port, default=8017, metavar="N", help="0 takes a free one (default: 8017)"
    )
    serve.add_argument("--token", metavar="WORD", help="people need it in the address; required beyond this machine")
    options.add_common(serve)
    serve.set_defaults(run=run_serve)
    results = kinds.add_parser("results", help="print preference rates with their 95 %% intervals")
    results.add_argument("votes", metavar="RESULTS", help=f"the folder of results, or its file of votes ({_VOTES})")
    options.add_common(results)
    results.set_defaults(run=run_results)


def run_serve(args: argparse.Namespace, output: Output) -> None:
    """Serves the page until it is stopped."""
    here = _loopback(args.host)
    if not here and not args.token:
        raise BadParameterError(f"{args.host} can be reached by others: give --token WORD, which people then need.")
    _require_server()
    with output.silenced():
        import uvicorn

        from agent.faces.study.app import create_app
        from agent.study import read_study
        from agent.study_votes import VoteBook

        study = read_study(args.folder, args.method, args.against)
        listening = _listening(args.host, args.port)
        book = VoteBook(args.votes or Path(args.folder) / _VOTES)
        book.begin(study)
        hosts = ("127.0.0.1", "localhost", "::1", args.host) if here else ("*",)
        app = create_app(study, book, hosts, args.token)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, server_header=False))
    address = _address(args.host, listening.getsockname()[1], args.token)
    output.note(f"{_what(study)}. Open {address} and stop with Ctrl-C; votes go to {book.path}.")
    try:
        with output.silenced():
            server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
        votes = len(book.votes())
        book.close()
    payload = {"address": address, "votes_file": str(book.path), "votes": votes, "triplets": len(study.triplets)}
    output.result(payload, f"Stopped; {book.path} holds {_count(votes, 'vote')}.")


def run_results(args: argparse.Namespace, output: Output) -> None:
    """Prints what the votes come to."""
    with output.silenced():
        from agent.study_votes import VoteBook, preferences

        path = Path(args.votes)
        with VoteBook(path / _VOTES if path.is_dir() else path, create=False) as book:
            votes = book.votes()
        pairs = preferences(votes)
    people = len({vote.person for vote in votes})
    lines = [_line(pair) for pair in pairs]
    lines.append(f"{_count(len(votes), 'vote')} of {_count(people, 'person')}.")
    payload: dict[str, Any] = {"votes_file": str(book.path), "votes": len(votes), "people": people}
    output.result({**payload, "pairs": [pair.to_json() for pair in pairs]}, "\n".join(lines))


def _line(pair: "Pair") -> str:
    decided = pair.a_votes + pair.b_votes
    if pair.rate is None or pair.interval is None:
        shown = "no vote preferred either"
    else:
        low, high = pair.interval
        shown = f"preferred in {pair.a_votes} of {decided} ({pair.rate:.1%}, 95 %: {low:.1%} to {high:.1%})"
    spread = ""
    if pair.score_interval is not None:
        low, high = pair.score_interval
        spread = f", over people {low:.1%} to {high:.1%}"
    return (
        f"{pair.a} against {pair.b}: {shown}; {pair.no_preference} without preference, which count half in "
        f"{pair.score:.1%}{spread}; {_count(pair.people, 'person')}, {_count(pair.cases, 'case')}."
    )


def _what(study: "Study") -> str:
    return (
        f"{_count(len(study.triplets), 'pair')} from {_count(len(study.cases), 'case')} and "
        f"{len(study.methods)} methods ({', '.join(study.methods)})"
    )


def _require_server() -> None:
    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelUnavailableError(
            f"The study's page needs {' and '.join(missing)}; run `pip install 'instructedit[server]'`."
        )


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there, so that what is wrong with the address is said before anything is served."""
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
        except BaseException:
            listening.close()
            raise
        return listening
    except OSError as error:
        raise BadParameterError(f"Cannot listen on {host}, port {port}: {error.strerror or error}.") from error


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(host: str, port: int, token: str | None) -> str:
    from urllib.parse import quote

    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?token={quote(token, safe='')}" if token else "")


def _count(number: int, noun: str) -> str:
    plural = {"person": "people"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"
