"""A scripted chat-completions endpoint on 127.0.0.1: the one place where tests fake anything, the LLM's HTTP seam.

    with FakeOpenAI([tool_call("segment", {...}), text("Done.")]) as fake:
        model = ChatOpenAI(base_url=fake.base_url, api_key="test", model="scripted", max_retries=0)
    fake.calls[0]["messages"]   # what was sent

Every reply answers one request, in order; leaving the block fails the test when a request came that no
reply was written for, or when replies are left over. A reply may be a function of the request's JSON, so
that it can quote an id that a tool returned; `forever(reply)` answers all further requests.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server answers: an assistant message, or raw bytes with a status, or nothing for a while."""

    message: dict[str, Any] | None = None
    status: int = 200
    body: bytes | None = None
    seconds: float = 0.0
    repeat: bool = False


Scripted = Reply | Callable[[dict[str, Any]], Reply]


def text(content: str) -> Reply:
    """Prose, without tool calls."""
    return Reply({"role": "assistant", "content": content})


def tool_calls(*calls: tuple[str, dict[str, Any] | str]) -> Reply:
    """Tool calls; arguments given as a string are sent as they are, broken JSON included."""
    return Reply(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": f"call_{name}_{i}",
                    "type": "function",
                    "function": {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)},
                }
                for i, (name, args) in enumerate(calls)
            ],
        }
    )


def tool_call(name: str, args: dict[str, Any] | str) -> Reply:
    """One tool call."""
    return tool_calls((name, args))


def error(status: int, message: str = "the server says no") -> Reply:
    """An HTTP error as OpenAI words it: 401, 404, 429, 500 …"""
    body = {"error": {"message": message, "type": "scripted", "code": None, "param": None}}
    return Reply(status=status, body=json.dumps(body).encode())


def raw(body: bytes, status: int = 200) -> Reply:
    """These bytes, whatever they are."""
    return Reply(status=status, body=body)


def hang(seconds: float = 30.0) -> Reply:
    """No answer for this long, or until the block is left."""
    return Reply({"role": "assistant", "content": "too late"}, seconds=seconds)


def forever(reply: Reply) -> Reply:
    """The same answer to this request and to all that follow."""
    return replace(reply, repeat=True)


class FakeOpenAI:
    """The server; a context manager.

    Attributes:
        calls: the JSON bodies of the requests, in order.
        headers: their headers, lower-case names.
    """

    def __init__(self, replies: Sequence[Scripted]) -> None:
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._replies = list(replies)
        self._used = 0
        self._unexpected = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @property
    def base_url(self) -> str:
        """What to give as the base URL: "http://127.0.0.1:PORT/v1"."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "FakeOpenAI":
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake._answer(self)

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if kind is not None:
            return
        if self._unexpected:
            raise AssertionError(f"{self._unexpected} request(s) came after the {len(self._replies)} scripted replies")
        left = len(self._replies) - self._used
        if left:
            raise AssertionError(f"{left} of {len(self._replies)} scripted replies were never asked for")

    def _next(self, request: dict[str, Any]) -> Reply:
        with self._lock:
            self.calls.append(request)
            last = self._replies[-1] if self._replies else None
            if self._used < len(self._replies):
                scripted = self._replies[self._used]
                self._used += 1
            elif isinstance(last, Reply) and last.repeat:
                scripted = last
            else:
                self._unexpected += 1
                return error(418, "unexpected call: the script of this test is over")
        return scripted if isinstance(scripted, Reply) else scripted(request)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("content-length", "0")))
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        request = json.loads(content)
        reply = self._next(request) if handler.path.endswith("/chat/completions") else error(404, handler.path)
        if reply.seconds and self._closing.wait(reply.seconds):
            handler.close_connection = True
            return
        streamed = bool(request.get("stream")) and reply.body is None
        body = reply.body if reply.body is not None else _completion(reply.message or {}, request, streamed)
        try:
            handler.send_response(reply.status)
            handler.send_header("content-type", "text/event-stream" if streamed else "application/json")
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True  # the client gave up waiting


def _completion(message: dict[str, Any], request: dict[str, Any], streamed: bool) -> bytes:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    head = {"id": "chatcmpl-scripted", "created": 0, "model": request.get("model", "scripted")}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if not streamed:
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return json.dumps(head | {"object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    delta = dict(message)
    if delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": i, **call} for i, call in enumerate(delta["tool_calls"])]
    chunks = [{"index": 0, "delta": delta, "finish_reason": None}, {"index": 0, "delta": {}, "finish_reason": finish}]
    lines = [json.dumps(head | {"object": "chat.completion.chunk", "choices": [chunk]}) for chunk in chunks]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
