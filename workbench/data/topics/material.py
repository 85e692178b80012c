"""What the builders are given beside the sources: where the mini tasks lie, and the codes not to be asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.data.items import Item
from workbench.data.topics.read import validation_items


@dataclass(frozen=True)
class Material:
    """`tasks` is the folder of the task folders; `tested_codes` gives the ICD-10-CM codes that a test asks about."""

    tasks: Path
    tested_codes: Callable[[], frozenset[str]]

    def mini(self, task: str, *columns: str) -> list[Item]:
        """The validation items of a mini task. Raises UserError for one without an id or one of the columns."""
        return validation_items(self.tasks, f"mini_{task}", *columns)
