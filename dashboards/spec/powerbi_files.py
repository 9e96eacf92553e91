"""What the files of the Power BI project share: names, schema addresses, and stable IDs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

NAME = "Ecommerce"
MODEL, REPORT = f"{NAME}.SemanticModel", f"{NAME}.Report"
SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "ecommerce-platform/powerbi")


def tag(*parts: str) -> str:
    """A stable UUID for a part of the project."""
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def platform_file(kind: str) -> str:
    """The .platform file of the model or the report."""
    return to_json(
        {
            "$schema": f"{SCHEMAS}/gitIntegration/platformProperties/2.0.0/schema.json",
            "metadata": {"type": kind, "displayName": NAME},
            "config": {"version": "2.0", "logicalId": tag("platform", kind)},
        }
    )


def to_json(content: Mapping[str, Any]) -> str:
    """JSON as the project's files contain it."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
