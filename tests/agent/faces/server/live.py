"""The application behind a real socket, in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agent.faces.door import Door, listen
from agent.faces.server.app import build_app
from agent.service.service import Service


@contextmanager
def live(service: Service) -> Iterator[str]:
    """Serves a service on a free port; yields its address."""
    import uvicorn

    door = Door()
    with listen(door) as listening:
        server = uvicorn.Server(uvicorn.Config(build_app(service, door), log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
