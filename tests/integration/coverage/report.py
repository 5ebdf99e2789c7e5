"""What the cells come to: the table as people read it, the holes that are known, and what is not as it was written."""

import re

from case import TIERS
from elsewhere import ENTRANCES as ELSEWHERE
from table import BLOCKED, ENTRANCES, LATE, NONE, OPEN, SEEN

TIER_TITLES = {"full": "Linux 5.0 and later: marks on file systems", "mount_marks": "Linux 3.10 to 4.19: marks on mounts"}
EVERY = None


class Hole:
    """What is known not to be blocked: an entrance, on these file systems, for files of these owners. `paragraph`
    begins the text of docs/threat-model.md that says so, in bold. `result`: seen or not covered."""

    def __init__(self, entrance, paragraph, result=OPEN, filesystems=EVERY, owners=EVERY, tiers=EVERY, race=False):
        self.entrance, self.paragraph, self.result = entrance, paragraph, result
        self.race = race  # now and then it is blocked
        self.filesystems, self.owners, self.tiers = filesystems, owners, tiers
        self.met = 0

    def covers(self, tier, filesystem, owner, entrance):
        return (entrance == self.entrance and (self.filesystems is EVERY or filesystem in self.filesystems) and
                (self.owners is EVERY or owner in self.owners) and (self.tiers is EVERY or tier in self.tiers))

    def __str__(self):
        where = [", ".join(part) for part in (self.filesystems, self.owners, self.tiers) if part is not EVERY]
        return self.entrance + (f" ({'; '.join(where)})" if where else "")


LOCAL = ("ext4", "xfs", "btrfs", "tmpfs", "ramfs", "ext2", "ext3")
ROOTS_MAPPING = "Root's own writes through a shared mapping"


def root_maps(entrance):
    """On a busy machine the kernel still asks when the opener comes, or the gate knows of the close before."""
    return Hole("shared mapping, " + entrance, ROOTS_MAPPING, SEEN, LOCAL, ("root",), race=True)


HOLES = [
    root_maps("written, file closed, mapping lives"),
    root_maps("file closed, judged, written, mapping lives"),
    root_maps("written and unmapped"),
    root_maps("file closed, judged, written, unmapped"),
    root_maps("dirty before it was judged"),
    Hole("descriptor from when it was clean", "Other entrances.", SEEN),
    Hole("memfd, opened by /proc/self/fd", "Other entrances."),
    Hole("memfd, started as a program", "Other entrances."),
    Hole("script that comes by a pipe", "Other entrances."),
]


class Report:
    def __init__(self):
        self.cells = {}  # (tier, file system, owner, entrance): (result, reason)
        self.elsewhere = {}  # (tier, entrance): result
        self.unmounted = {}  # file system: reason
        self.faults = []

    def add(self, tier, filesystem, record):
        key = (tier, filesystem, record["owner"], record["entrance"])
        self.cells[key] = (record["result"], record["reason"])
        if record["result"] == "error":
            self.faults.append(f"{' / '.join(key)}: {record['reason']}")

    def results(self):
        for key, (result, _) in self.cells.items():
            yield key, result
        for (tier, entrance), result in self.elsewhere.items():
            yield (tier, "", "", entrance), result

    def compare_with_holes(self):
        for key, result in self.results():
            holes = [hole for hole in HOLES if hole.covers(*key)]
            if result in (SEEN, OPEN) and not any(hole.result == result for hole in holes):
                self.faults.append(f"{' / '.join(filter(None, key))}: {result}, and no known hole says so")
            if result in (BLOCKED, LATE) and holes and not all(hole.race for hole in holes):
                self.faults.append(f"{' / '.join(filter(None, key))}: {result} by now; take it off the known holes")
            for hole in holes:
                hole.met += result != NONE

    def compare_with_threat_model(self, text):
        for hole in HOLES:
            if f"**{hole.paragraph}" not in text:
                self.faults.append(f"docs/threat-model.md has no paragraph \"{hole.paragraph}\", which is to explain: {hole}")

    # --- as text

    def filesystems(self):
        return list(dict.fromkeys(filesystem for _, filesystem, _, _ in self.cells))

    def cell_text(self, tier, filesystem, entrance):
        found = {owner: self.cells.get((tier, filesystem, owner, entrance), (NONE, ""))[0] for owner in ("user", "root")}
        measured = {owner: result for owner, result in found.items() if result != NONE}
        if not measured:
            return NONE
        if len(set(measured.values())) == 1:
            return emphasised(next(iter(measured.values())))
        return ", ".join(f"{owner}'s file: {emphasised(result)}" for owner, result in measured.items())

    def rows(self):
        """{(tier, column, entrance): text}, in the order of the document."""
        rows = {}
        for tier in TIERS:
            for entrance in ENTRANCES:
                for filesystem in self.filesystems():
                    rows[tier, filesystem, entrance.name] = self.cell_text(tier, filesystem, entrance.name)
        for tier in TIERS:
            for entrance in ELSEWHERE:
                rows[tier, "", entrance] = emphasised(self.elsewhere.get((tier, entrance), NONE))
        return rows

    def text(self, head, kernel):
        rows = self.rows()
        columns = self.filesystems()
        lines = [head, f"\nMeasured on Linux {kernel}.\n"]
        for tier in TIERS:
            lines += [f"\n## {TIER_TITLES[tier]}\n", table_line(["entrance", *columns]), table_line(["---"] * (len(columns) + 1))]
            lines += [table_line([entrance.name, *(rows[tier, column, entrance.name] for column in columns)]) for entrance in ENTRANCES]
        lines += ["\n## On no file system in particular\n", table_line(["entrance", *TIERS]), table_line(["---"] * (len(TIERS) + 1))]
        lines += [table_line([entrance, *(rows[tier, "", entrance] for tier in TIERS)]) for entrance in ELSEWHERE]
        lines += ["\n## Known holes\n", "The paragraphs are those of [threat-model.md](threat-model.md), *What is not promised*.\n",
                  table_line(["entrance", "result", "paragraph"]), table_line(["---"] * 3)]
        lines += [table_line([str(hole), hole.result, hole.paragraph]) for hole in HOLES if hole.met]
        lines += ["\n## Not mounted where this was measured\n", table_line(["file system", "why"]), table_line(["---"] * 2)]
        lines += [table_line([filesystem, reason]) for filesystem, reason in self.unmounted.items()]
        return "\n".join(lines) + "\n"

    def compare_with_document(self, document):
        """Only where both have measured: another kernel has other file systems, and other calls."""
        written = parse(document)
        rows = self.rows()
        for key, text in rows.items():
            before = written.get(key)
            if before is None:
                self.faults.append(f"docs/coverage.md has no cell for {' / '.join(filter(None, key))}")
            elif before != text and NONE not in (before, text) and not any(hole.race and hole.entrance == key[2] for hole in HOLES):
                self.faults.append(f"docs/coverage.md says of {' / '.join(filter(None, key))}: {before}; here it is: {text}")


def emphasised(result):
    return f"**{result}**" if result == OPEN else result


def table_line(parts):
    return "| " + " | ".join(parts) + " |"


def parse(document):
    """The cells of a document that text() has made."""
    cells = {}
    sections = re.split(r"\n## ", document)
    for section in sections:
        tables = [[part.strip() for part in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
        tier = next((name for name, title in TIER_TITLES.items() if section.startswith(title)), None)
        for row in tables[2:]:
            for column, text in zip(tables[0][1:], row[1:]):
                if tier is not None:
                    cells[tier, column, row[0]] = text
                elif section.startswith("On no file system"):
                    cells[column, "", row[0]] = text
    return cells
