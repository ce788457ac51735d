"""``python -m nitari`` is the ``nitari`` command."""

from nitari.cli.main import main

if __name__ == "__main__":
    main()
