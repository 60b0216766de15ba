"""The demo: scenes from the picture world, each edited with a sentence; `make demo` runs it.

It types the commands that you could type yourself, and shows what the agent did and where the pictures are.
"""

import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("runs/demo")


@dataclass(frozen=True)
class Example:
    """One edit of the demo.

    Attributes:
        name: of its pictures.
        seed: of the scene, from the range that no model was trained on.
        instruction: what is asked for.
    """

    name: str
    seed: int
    instruction: str


EXAMPLES = (
    Example("recolour", 9_000_000, "Make the cup green"),
    Example("noun_swap", 9_000_002, "Change the dotted green boat into a box"),
    Example("part", 9_000_003, "Paint the stem of the black flower orange"),
)


def instructedit(*arguments: str) -> int:
    """Shows and runs one command; returns its exit code."""
    print(f"$ instructedit {shlex.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, "-m", "agent.faces.cli", *arguments], check=False).returncode


def main() -> int:
    """Runs all examples; stops at the first command that fails."""
    started = time.perf_counter()
    made: list[Path] = []
    for example in EXAMPLES:
        scenes, output = FOLDER / "scenes", FOLDER / f"{example.name}.png"
        side_by_side = FOLDER / f"{example.name}_side_by_side.png"
        commands = (
            ["world", "sample", "--seed", str(example.seed), "-o", str(scenes)],
            ["edit", str(scenes / str(example.seed) / "image.png"), example.instruction, "-o", str(output)]
            + ["--comparison", str(side_by_side)],
        )
        for command in commands:
            if code := instructedit(*command):
                return code
        made.append(side_by_side)
        print()
    print(f"{len(made)} edits in {time.perf_counter() - started:.0f} s. Input, mask and output side by side:")
    for path in made:
        print(f"  {path.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
