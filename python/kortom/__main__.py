"""``python -m kortom`` is the program ``kortom``."""

import subprocess
import sys

from ._errors import KortomError
from ._program import program, refused


def main() -> int:
    try:
        path = program()
        return subprocess.call([path, *sys.argv[1:]])
    except OSError as error:
        print(f"error: {refused(path, error)}", file=sys.stderr)
        return 2
    except KortomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
