"""Run the command line by ``python -m pkmodel``."""

from pkmodel.cli import main

main()
