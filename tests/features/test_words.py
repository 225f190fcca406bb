import subprocess
import sys

import pytest

from endcap.features.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" -- !? ", []),
        ("Jersey T-Shirt, 100% COTTON", ["jersey", "t", "shirt", "100", "cotton"]),
        ("Größe_XL café", ["grösse", "xl", "café"]),
        ("ＡＢＣ　１２", ["abc", "12"]),  # full width
        ("红色连衣裙", ["红色", "连衣裙"]),
        ("Nike运动鞋2024款", ["nike", "运动鞋", "2024", "款"]),
        ("赤いワンピース", ["赤い", "いワ", "ワン", "ンピ", "ピー", "ース"]),
        ("원피스 빨강", ["원피", "피스", "빨강"]),
        ("หม", ["หม"]),
        ("हिन्दी शब्द", ["हिन्दी", "शब्द"]),
        ("платье Красное", ["платье", "красное"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_segmenting_says_nothing_and_warns_of_nothing() -> None:
    code = "from endcap.features.words import words; words('红色连衣裙')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
