"""Where the program is."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from ._errors import ProgramNotFound

NAME = "kortom.exe" if os.name == "nt" else "kortom"


def program() -> str:
    """The path of the program: that in `KORTOM_PROGRAM`, else the one installed with this package, else the first on `PATH`.

    Raises `ProgramNotFound` where there is none."""
    named = os.environ.get("KORTOM_PROGRAM")
    if named:
        if not Path(named).is_file():
            raise ProgramNotFound(f"`KORTOM_PROGRAM` names `{named}`, where no program is", "correct it, or unset it")
        return named
    for folder in folders():
        path = folder / NAME
        if path.is_file():
            return str(path)
    found = shutil.which("kortom")
    if found is None:
        raise ProgramNotFound("the program `kortom` is not installed", "pip install --force-reinstall kortom")
    return found


def folders() -> list[Path]:
    """Where installers put programs: for everybody, for one user, and below `pip install --target`."""
    user = f"{os.name}_user"
    if sys.platform == "darwin" and sys.flags.no_user_site == 0 and sysconfig.get_config_var("PYTHONFRAMEWORK"):
        user = "osx_framework_user"
    schemes = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", scheme=user)]
    package = Path(__file__).resolve().parent
    return [Path(folder) for folder in schemes if folder] + [package.parent / "bin", Path(sys.executable).parent]


def version() -> str:
    """The version of the program."""
    path = program()
    try:
        run = subprocess.run([path, "--version"], capture_output=True, text=True, encoding="utf-8", check=True)
    except OSError as error:
        raise refused(path, error) from error
    return run.stdout.split()[-1]


def refused(path: str, error: OSError) -> ProgramNotFound:
    """Why the system does not run a program."""
    # Windows: 193 is ERROR_BAD_EXE_FORMAT, 216 ERROR_EXE_MACHINE_TYPE_MISMATCH.
    if error.errno == errno.ENOEXEC or getattr(error, "winerror", None) in (193, 216):
        import platform

        return ProgramNotFound(
            f"`{path}` is no program for this machine ({sys.platform}, {platform.machine()})",
            "install the package for this machine: pip install --force-reinstall kortom",
        )
    if error.errno == errno.EACCES:
        return ProgramNotFound(f"`{path}` may not be run", "look at its permissions, and whether its disk is mounted `noexec`")
    return ProgramNotFound(f"`{path}` cannot be run: {error.strerror or error}", "pip install --force-reinstall kortom")
