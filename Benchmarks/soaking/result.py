"""The figures of a soak of the whole program."""


def show(title: str, values: dict) -> None:
    print(f"\n{title}")
    for name, value in values.items():
        text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
        print(f"  {name.replace('_', ' '):44}{text}")


def show_all(soak, report: dict, verified: list[str], reconciled: list[str]) -> None:
    seen = soak.seen
    figures = seen.get("figures", {})
    show("trouble", {
        **dict(sorted(soak.counts.items())), "attempts to connect": report.get("attempts", 0),
        "refused": report.get("connections_refused", 0), "faults": figures.get("faults", {}),
    })
    for text in sorted(soak.left_out):
        print(f"  left out: {text}")
    show("compared", {
        "made by the exchange": figures.get("made", 0), "in the log": figures.get("in_log", 0),
        "missing, a gap covers it": figures.get("missing_covered", 0),
        "made after the end": figures.get("missing_after_end", 0),
        "missing without a gap": figures.get("missing_uncovered", 0),
        **{name: seen.get(name, 0) for name in ("objects", "items", "trimmed")},
        "trimmed before it was read": seen.get("from_objects", 0), "wrong": seen.get("wrong", 0),
        "gaps": figures.get("gaps", {}), "gaps stretched by a clock set back": seen.get("stretched", 0),
        "longest gap, s": figures.get("longest_gap_seconds", 0.0),
    })
    show("at most", dict(soak.largest))
    print("\nprocesses")
    print("\n".join(soak.runs.lives.lines()))
    print("\n" + "\n".join(f"verify: {line}" for line in verified))
    print("\n".join(f"reconcile: {line}" for line in reconciled[-4:]))
