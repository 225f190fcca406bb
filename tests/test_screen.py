"""What the terminal shows."""

from rich.console import Console

from endcap import screen
from tests.test_report import results


def printed(width: int = 80) -> str:
    console = Console(width=width, file=None, record=True, no_color=True)
    with console.capture() as said:
        console.print(screen.leaderboard(results()))
    return said.get()


def test_the_number_of_questions_is_said() -> None:
    assert "1,234 questions" in printed()
