"""The stubs against the module, and the marker that there are types."""

import subprocess
import sys
from pathlib import Path

import relucert


def test_stubs_say_what_the_module_has():
    run = [sys.executable, "-m", "mypy.stubtest", "relucert._relucert"]
    told = subprocess.run(run, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_package_is_marked_as_typed():
    folder = Path(relucert.__file__).parent
    assert (folder / "py.typed").exists()
    assert (folder / "_relucert.pyi").exists()


def test_every_public_name_is_there_and_explained():
    for name in relucert.__all__:
        value = getattr(relucert, name)
        assert name == "__version__" or value.__doc__
    assert set(dir(relucert)) == set(relucert.__all__)
