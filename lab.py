#!/usr/bin/env python3
# PYTHON_ARGCOMPLETE_OK
"""The benchmark lab's command line: `python lab.py --help`.

Works from a bare interpreter: it continues in the locked environment that `make setup` makes.
"""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"


def enter_environment() -> None:
    """Go on in the project's own environment; where there is none, in this one if it has all that is needed."""
    interpreter = VENV / "bin" / "python"
    try:
        if interpreter.exists() and Path(sys.prefix).resolve() != VENV.resolve():
            os.execv(interpreter, [str(interpreter), *sys.argv])
    except OSError as error:
        sys.exit(
            f"error: this user cannot use the environment in .venv ({error.strerror}); remove it and run `make setup`"
        )
    if all(find_spec(name) for name in ("docker", "jinja2", "pandas", "plotly", "rich", "scipy", "tabulate", "yaml")):
        return
    if asked := [word for word in sys.argv if word in ("-h", "--help", "--version")]:
        from benchlab.cli.cli import main

        sys.exit(main(ROOT, asked[:1]))
    sys.exit("error: the lab's packages are not installed; run `make setup`")


if __name__ == "__main__":
    # Until the lab has its own way of ending, Ctrl-C ends it as it ends any program: at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    enter_environment()

    if "_ARGCOMPLETE" in os.environ:
        from benchlab.cli.completion import complete

        complete(ROOT)

    from benchlab.cli.cli import main

    sys.exit(main(ROOT, sys.argv[1:]))
