from __future__ import annotations

import re

import pytest

from benchlab.core.errors import ConfigError
from benchlab.techempower import dockerfiles

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
VALUES = {"X": "x", "EMPTY": ""}


def _bases(text: str, **arguments: str) -> tuple[str, ...]:
    return dockerfiles.parse(text, arguments).bases


def test_a_dockerfile_starts_from_its_stages_images_and_no_stage_comment_or_text_of_a_command() -> None:
    assert _bases(STAGES) == ("python:3.12", "python:3.12-slim", "debian:13")


def test_a_stand_in_takes_the_image_s_place_and_all_else_stays() -> None:
    stand_ins = {"python:3.12": "benchlab/base-dev", "python:3.12-slim": "other/slim"}
    text = dockerfiles.parse(STAGES, {}).replaced(stand_ins)
    changed = {
        "FROM --platform=$BUILDPLATFORM python:$PYTHON AS packages": (
            "FROM --platform=$BUILDPLATFORM benchlab/base-dev AS packages"
        ),
        "from ${IMAGE}-slim": "from other/slim",
    }
    assert text.splitlines() == [changed.get(line, line) for line in STAGES.splitlines()]


def test_a_name_that_goes_on_in_the_next_line_is_replaced_as_a_whole() -> None:
    dockerfile = dockerfiles.parse("FROM \\\n# a comment\n  py\\\nthon:3.12 \\\n  AS one\nRUN x\n", {})
    assert dockerfile.bases == ("python:3.12",)
    assert dockerfile.replaced({"python:3.12": "mine"}) == "FROM \\\n# a comment\n  mine \\\n  AS one\nRUN x\n"


def test_another_escape_may_be_declared() -> None:
    assert _bases("# escape=`\nARG A=1 `\n  B=2\nFROM a:$A-$B`\n-c\n") == ("a:1-2-c",)


@pytest.mark.parametrize("text", ["FROM python:3.12\r\nRUN x\r\n", "FROM python:3.12", "\nFROM   python:3.12\nRUN a\n"])
def test_what_has_no_stand_in_is_not_touched(text: str) -> None:
    dockerfile = dockerfiles.parse(text, {})
    assert dockerfile.replaced({"python:3.13": "benchlab/base"}) == text
    assert dockerfile.bases == ("python:3.12",)


def test_a_shift_in_a_command_hides_no_later_stage() -> None:
    assert _bases("FROM a\nRUN echo $((1<<X))\nRUN echo 1<<X\nRUN echo $((1 << X))\nFROM b\n") == ("a", "b")


def test_the_text_of_here_documents_is_no_instruction_whatever_their_words() -> None:
    text = "FROM a\nCOPY <<\"one\" <<-two /x/\nFROM x\none\nFROM y\n\ttwo\nRUN 3<<'E-F' cat\nFROM z\nE-F\nFROM b\n"
    dockerfile = dockerfiles.parse(text, {})
    assert (dockerfile.bases, dockerfile.buildkit_features) == (("a", "b"), ("here-documents",))


def test_what_buildkit_alone_understands_is_named_and_nothing_else() -> None:
    assert dockerfiles.parse("FROM a\nRUN --mount=type=cache,target=/x true\n", {}).buildkit_features == (
        "RUN --mount",
    )
    assert dockerfiles.parse("FROM a\nRUN pip install --mount=x # <<EOF\nRUN echo 1<<X\n", {}).buildkit_features == ()


def test_a_file_that_starts_from_nothing_has_no_base_and_one_from_scratch_is_not_such_a_file() -> None:
    nothing = dockerfiles.parse("RUN true\nSELECT 1 FROM world\n", {})
    scratch = dockerfiles.parse("FROM scratch\n", {})
    assert (nothing.bases, nothing.has_from) == ((), False)
    assert (scratch.bases, scratch.has_from) == ((), True)


def test_arguments_count_where_they_are_declared_before_the_first_stage_and_what_a_build_is_given_counts_more() -> None:
    assert _bases("ARG NAME=own\nFROM a:$NAME\nARG NAME=later\nFROM b:$NAME\n") == ("a:own", "b:own")
    assert _bases("ARG NAME=own\nFROM a:$NAME\n", NAME="given") == ("a:given",)
    assert _bases("FROM a${NAME:+:1}\n", NAME="not declared") == ("a",)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$X-$EMPTY-$NONE-", "x---"),
        ("${X}y", "xy"),
        ("$Xy", ""),
        ("${X:-y}${EMPTY:-y}${NONE:-y}", "xyy"),
        ("${X-y}${EMPTY-y}${NONE-y}", "xy"),
        ("${X:+y}${EMPTY:+y}${NONE:+y}", "y"),
        ("${X+y}${EMPTY+y}${NONE+y}", "yy"),
        ("${X:?why}${X?why}", "xx"),
        ("${NONE:-a${X:+-$X}b}", "a-xb"),
        ("a'$X'\"$X\"b", "a$Xxb"),
        (r"\$X\\", "$X\\"),
        (r'"\$X\a"', r"$X\a"),
        ("$", "$"),
        ("a$/", "a$/"),
    ],
)
def test_variables_are_replaced_as_docker_does(word: str, value: str) -> None:
    assert dockerfiles.expand(word, VALUES) == value


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("${X", "has a ${ without a }"),
        ("${X:-y", "has a ${ without a }"),
        ("${}", "has a ${} without a name"),
        ("${X#a}", "the lab does not support ${X#…}"),
        ("${NONE:?set it}", "NONE has no value (set it)"),
        ("${EMPTY:?}", "EMPTY has no value (it must have one)"),
        ("'a", "has an unclosed quote"),
        ('"a', "has an unclosed quote"),
        ("$TARGETARCH", "only the builder knows TARGETARCH"),
    ],
)
def test_what_docker_refuses_or_the_lab_does_not_know_is_told(word: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        dockerfiles.expand(word, VALUES)


@pytest.mark.parametrize("text", ["FROM\n", "FROM a b\n", "FROM a AS\n", "FROM a # no comment\n", "ARG X\nFROM $X\n"])
def test_a_stage_that_docker_refuses_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        dockerfiles.parse(text, {})
