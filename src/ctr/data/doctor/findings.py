"""What of the measurements a person should look at, and what to do about it."""

from __future__ import annotations

from ctr.data.doctor import Examination
from ctr.data.doctor.field_checks import check_fields
from ctr.data.doctor.finding import Finding
from ctr.data.doctor.row_checks import check_rows


def findings(seen: Examination) -> list[Finding]:
    """Warnings first."""
    return sorted([*check_fields(seen), *check_rows(seen)], key=lambda finding: finding.severity == "note")
