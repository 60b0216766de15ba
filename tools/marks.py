"""How far a conversation has come, and the way back to there, for a turn that was cut off before its end.

`agent.session` takes a mark before each turn; the service keeps one with a job, for a process that dies within it.
"""

from dataclasses import dataclass

from tools.conversation import Conversation

__all__ = ["Mark", "mark", "take_back"]

_TABLES = ("images", "masks", "moves", "turns")


@dataclass(frozen=True)
class Mark:
    """A place in the history of a conversation.

    Attributes:
        image_id: the version that was current.
        images, masks, moves, turns: how many there were.
    """

    image_id: str
    images: int
    masks: int
    moves: int
    turns: int


def mark(conversation: Conversation) -> Mark:
    """Where a conversation stands; raises BadParameterError where it was deleted."""
    counts = ", ".join(f"(SELECT COALESCE(MAX(number), 0) FROM {table} WHERE conversation = ?)" for table in _TABLES)
    rows = conversation.workspace.query(f"SELECT {counts}", (conversation.id,) * len(_TABLES))
    return Mark(conversation.current_id, *rows[0])


def take_back(conversation: Conversation, since: Mark) -> bool:
    """Takes versions and masks out that no turn knows of, and their moves, so that their ids are free again.

    The files stay until `maintenance.collect`.

    Args:
        conversation: whose.
        since: as it stood before what is taken back.

    Returns:
        False where a turn was ended since, or the conversation was deleted: nothing is changed then.
    """
    key = conversation.id
    with conversation.workspace.transaction() as connection:
        row = connection.execute(
            "SELECT (SELECT COALESCE(MAX(number), 0) FROM turns WHERE conversation = id) FROM conversations"
            " WHERE id = ?",
            (key,),
        ).fetchone()
        if row is None or row[0] != since.turns:
            return False
        connection.execute(
            "DELETE FROM nodes WHERE conversation = ? AND image IN"
            " (SELECT 'image_' || number FROM images WHERE conversation = ? AND number > ?)",
            (key, key, since.images),
        )
        for table, count in (("images", since.images), ("masks", since.masks), ("moves", since.moves)):
            connection.execute(f"DELETE FROM {table} WHERE conversation = ? AND number > ?", (key, count))
        connection.execute("UPDATE conversations SET current_image = ? WHERE id = ?", (since.image_id, key))
    conversation.reread()
    return True
