"""Make a development install of skreg: `python3 tools/develop.py`.

It goes into .venv in the clone, which is made if there is none. The install is
editable and without build isolation, so that importing skreg first rebuilds
whatever compiled module's source has changed. Arguments are handed to pip, as in
`python3 tools/develop.py -Csetup-args=-Dboundscheck=true`.
"""

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    environment = ROOT / ".venv"
    windows = os.name == "nt"
    python = environment / ("Scripts/python.exe" if windows else "bin/python")
    if not python.exists():
        venv.create(environment, with_pip=True)

    # The build looks for its tools on the path, and writes down where it found all
    # but Cython; a rebuild on import happens without the environment activated.
    tools = {
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
        "CYTHON": f'"{python.parent / "cython"}"',
    }

    def pip_install(*arguments):
        command = [python, "-m", "pip", "install", *arguments]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | tools)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    # meson-python asks for ninja by itself only in an isolated build.
    pip_install(*project["build-system"]["requires"], "ninja")
    pip_install(
        *("--no-build-isolation", "--editable", ".[dev]"),
        # an import that compiles for minutes says so
        "-Ceditable-verbose=true",
        *sys.argv[1:],
    )


if __name__ == "__main__":
    main()
