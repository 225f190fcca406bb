"""What several test files use."""

from collections.abc import Callable, Iterator

import pytest

from endcap import cli


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What endcap keeps to make it once is kept apart, so that no test passes by what an earlier run made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENDCAP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def endcap(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed; gives what it printed."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        return out

    return run
