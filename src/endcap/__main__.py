"""The start of the command line, `endcap` and `python -m endcap`."""

import gc


def main() -> None:
    """Runs the command that the arguments name."""
    gc.disable()  # what imports make stays: to look through it again and again takes a fifth of the start
    from endcap import cli

    gc.freeze()
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
