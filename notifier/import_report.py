"""What became of an imported file, for programs as a plain value and for people as lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from notifier.import_values import RowProblem


@dataclass
class ImportReport:
    """Every row of the file is added, known, left out or no treatment; on a dry run, it would be.

    `repeated`: how many of the known stand more than once in the file itself. `problems`: why rows were left
    out, one row perhaps for several reasons. `notes`: what is worth a look about rows that were not.
    `not_treated`: appointments that came to nothing, or without aftercare. `ignored`: columns that mean
    nothing here.
    """

    file: str
    dry_run: bool
    rows: int
    added: int = 0
    known: int = 0
    repeated: int = 0
    left_out: int = 0
    not_treated: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    notes: list[RowProblem] = field(default_factory=list)
    ignored: tuple[str, ...] = ()

    def close(self) -> ImportReport:
        """In the order of the file, and counted."""
        self.problems.sort(key=lambda problem: problem.row)
        self.notes.sort(key=lambda note: note.row)
        self.left_out = len({problem.row for problem in self.problems})
        return self


def report_text(report: ImportReport, *, most: int = 100) -> str:
    """A first line that says it all, then a line for each problem and note, up to `most` of each."""
    lines = ["Nothing was changed; this was a dry run."] if report.dry_run else []
    lines.append(f"{_summary(report)}{':' if report.problems else '.'}")
    lines += _listed(report.problems, most)
    if report.notes:
        lines += ["Worth a look:", *_listed(report.notes, most)]
    if report.ignored:
        lines.append(f"Columns that mean nothing here were ignored: {', '.join(report.ignored)}.")
    return "\n".join(lines)


def _summary(report: ImportReport) -> str:
    would = "would be " if report.dry_run else ""
    parts = [f"{report.added} {'treatment' if report.added == 1 else 'treatments'} {would}added"]
    if there := report.known - report.repeated:
        parts.append(f"{there} {'was' if there == 1 else 'were'} there already")
    if report.repeated:
        parts.append(f"{report.repeated} {'stands' if report.repeated == 1 else 'stand'} in the file twice")
    if report.not_treated:
        parts.append(f"{report.not_treated} {'needs' if report.not_treated == 1 else 'need'} no aftercare")
    if report.left_out:
        parts.append(f"{report.left_out} {'row' if report.left_out == 1 else 'rows'} {would}left out")
    return ", ".join(parts)


def _listed(problems: list[RowProblem], most: int) -> list[str]:
    lines = [_line(problem) for problem in problems[:most]]
    if len(problems) > most:
        lines.append(f"  … and {len(problems) - most} more.")
    return lines


def _line(problem: RowProblem) -> str:
    where = f"row {problem.row}" + (f", {problem.column}" if problem.column else "")
    # The sentence often quotes the value itself.
    shown = f' "{problem.value}"' if problem.value and problem.value not in problem.message else ""
    return " ".join(f"  {where}{shown}: {problem.message}".split()).join(("  ", ""))
