from __future__ import annotations

import pytest

from benchlab.adoption import dockerfiles

STAGES = """\
# FROM nowhere
ARG PYTHON="3.12" OTHER=1
ARG IMAGE=python:${PYTHON}
FROM --platform=$BUILDPLATFORM python:$PYTHON AS packages
RUN echo one \\
# FROM a comment in the middle
 FROM the middle of a command
RUN cat <<EOF > query.sql
SELECT id
FROM world
EOF
FROM scratch as nothing
from ${IMAGE}-slim
COPY --from=packages /x /x
FROM Packages
FROM ${UNTOLD:-debian:13}
"""


def test_a_dockerfile_starts_from_its_stages_images_and_no_stage_comment_or_text_of_a_command() -> None:
    assert dockerfiles.bases(STAGES) == ("python:3.12", "python:3.12-slim", "debian:13")


def test_a_stand_in_takes_the_image_s_place_and_all_else_stays() -> None:
    text = dockerfiles.replaced(STAGES, {"python:3.12": "benchlab/base", "python:3.12-slim": "other/slim"})
    changed = {
        "FROM --platform=$BUILDPLATFORM python:$PYTHON AS packages": (
            "FROM --platform=$BUILDPLATFORM benchlab/base AS packages"
        ),
        "from ${IMAGE}-slim": "from other/slim",
    }
    assert text.splitlines() == [changed.get(line, line) for line in STAGES.splitlines()]


@pytest.mark.parametrize(
    "text",
    ["FROM python:3.12\r\nRUN x\r\n", "FROM python:3.12", "\nFROM   python:3.12   # no comment\nRUN echo $((1<<2))\n"],
)
def test_what_has_no_stand_in_is_not_touched(text: str) -> None:
    assert dockerfiles.replaced(text, {"python:3.13": "benchlab/base"}) == text
    assert dockerfiles.bases(text) == ("python:3.12",)


def test_a_shift_in_a_command_hides_no_later_stage() -> None:
    assert dockerfiles.bases("FROM a\nRUN echo $((1<<X))\nRUN echo 1<<X\nFROM b\n") == ("a", "b")


def test_a_file_that_starts_from_nothing_has_no_base() -> None:
    assert dockerfiles.bases("RUN true\nSELECT 1 FROM world\n") == ()
