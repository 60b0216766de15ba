"""A conversation as a ZIP file: every version and mask, the history, and a bundle for `instructedit replay`."""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bundle import BUNDLE_FILE, Bundle, BundleTurn, bundle_of
from agent.saving import save_conversation

if TYPE_CHECKING:
    from agent.service.service import Service
    from agent.service.shelf import Held
    from tools.conversation import Conversation

__all__ = ["zipped"]

_HISTORY = "history.json"
_WHY_NONE = "Some turns were made before the server was stopped by force, so there is no bundle.json to replay.\n"


def zipped(service: "Service", conversation: "Conversation", held: "Held") -> bytes:
    """The ZIP file's bytes.

    Args:
        service: whose.
        conversation: what to pack.
        held: what the service knows of it; where its files lie is not told.
    """
    with tempfile.TemporaryDirectory(prefix="instructedit-") as place:
        folder = Path(place) / "conversation"
        save_conversation(conversation, folder)
        history = json.loads((folder / _HISTORY).read_text(encoding="utf-8"))
        for version in history["versions"]:
            version["source"] = held.name if version["source"] else ""
        (folder / _HISTORY).write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
        made = _bundle(service, conversation, held)
        if made is not None:
            (folder / BUNDLE_FILE).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
            (folder / held.original.name).write_bytes(held.original.read_bytes())
        else:
            (folder / "README.txt").write_text(_WHY_NONE, encoding="utf-8")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
        return buffer.getvalue()


def _bundle(service: "Service", conversation: "Conversation", held: "Held") -> dict[str, Any] | None:
    kept = service.shelf.turns(conversation.id)
    if set(kept) != set(range(1, len(conversation.turns()) + 1)):
        return None
    session = service.bench.session(conversation)
    turns = [BundleTurn.model_validate(kept[number].bundle) for number in sorted(kept)]
    models = service.models or session.context.models.name
    bundle: Bundle = bundle_of(session, models, service.llm, held.original.name, held.original.read_bytes(), turns)
    return bundle.model_dump(mode="json", by_alias=True)
