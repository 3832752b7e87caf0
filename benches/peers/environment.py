"""What a run needs: a virtual environment with the pinned peers, and the release build of relucert."""

import json
import subprocess
import sys
import venv
from pathlib import Path

from files import write


def peers_python(folder, requirements):
    """The interpreter of the virtual environment, made again when the requirements have changed."""
    wanted = requirements.read_text()
    stamp = folder / "installed.txt"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
        write(stamp, wanted)
    return python


def relucert(repository):
    """The binary that cargo builds."""
    command = ["cargo", "build", "--release", "--bin", "relucert", "--message-format=json-render-diagnostics"]
    output = subprocess.run(command, cwd=repository, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    return Path(next(message["executable"] for message in messages if message.get("executable")))
