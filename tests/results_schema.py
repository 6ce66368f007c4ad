"""What a results file of the TechEmpower benchmarks must be: tfb_results.schema.json, written from the contract."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = json.loads((Path(__file__).parent / "tfb_results.schema.json").read_text())


def problems(document: object) -> list[str]:
    """Return where the document breaks the schema, and how."""
    errors = Draft202012Validator(SCHEMA).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in errors]
