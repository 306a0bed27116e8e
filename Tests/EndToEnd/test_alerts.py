"""The rules for Prometheus and the dashboard for Grafana fit the program, its runbook and each other."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from support.http import address_of
from support.prometheus import Prometheus

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/tickwal.rules.yml"
TESTS = sorted((ROOT / "deploy/prometheus/tests").glob("*.yml"))
DASHBOARD = json.loads((ROOT / "deploy/grafana/tickwal.json").read_text())

# As OPERATIONS and the settled names have them: name, condition's time, severity.
ALERTS = {
    ("Down", "5m", "critical"), ("FeedStalled", "2m", "critical"), ("GapOpen", "5m", "warning"),
    ("GapOpen", "15m", "critical"), ("GapBudget", "", "critical"), ("GapBudget", "", "warning"),
    ("ShipBehind", "15m", "warning"), ("ItemsWillExpire", "5m", "critical"), ("Held", "5m", "critical"),
    ("DeadLetters", "", "warning"), ("VolumeFilling", "1h", "warning"), ("VolumeFilling", "1h", "critical"),
    ("VolumeFilling", "1m", "critical"), ("SlowCommit", "10m", "warning"), ("SlowCommit", "10m", "critical"),
}


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def rules(kind: str) -> list[dict]:
    """All that are of a kind, `alert` or `record`."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"] if kind in rule]


def queries() -> dict[str, str]:
    """Those of the dashboard, by panel and letter, as Grafana would send them."""
    found = {}
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$__rate_interval", "10s").replace("$__range", "10s")
            found[f"{panel['title']} {target['refId']}"] = query.replace("$instance", ".*").replace("$job", "tickwal")
    for annotation in DASHBOARD["annotations"]["list"]:
        found[annotation["name"]] = annotation["expr"].replace("$instance", ".*").replace("$job", "tickwal")
    return found


def names_in(text: str) -> set[str]:
    """The names of metrics; recorded ones as well."""
    without = re.sub(r'"[^"]*"|\{\{.*?\}\}', "", text)
    return set(re.findall(r"\b(?:instance:)?(?:tickwal|process)_[\w:]+", without))


def exposed() -> set[str]:
    """What a scrape has, by the program's own catalogue."""
    names = set()
    source = (ROOT / "Sources/App/Metrics/MetricCatalogue.swift").read_text()
    for name, kind in re.findall(r'\.init\(\s*"(\w+)", ([^,]+),', source):
        full = name if name.startswith("process_") else f"tickwal_{name}"
        is_histogram = kind not in (".counter", ".gauge")
        names |= {f"{full}_{part}" for part in ("bucket", "sum", "count")} if is_histogram else {full}
    assert len(names) > 80
    return names


def test_the_rules_are_those_of_the_operators_page_and_hold_what_their_tests_say():
    promtool("check", "rules", "--lint-fatal", RULES)
    promtool("test", "rules", *TESTS)
    found = {(rule["alert"], rule.get("for", ""), rule["labels"]["severity"]) for rule in rules("alert")}
    assert found == ALERTS


def test_each_alert_is_seen_to_fire_and_not_to():
    seen = [
        (test["alertname"], bool(test.get("exp_alerts")))
        for file in TESTS for group in yaml.safe_load(file.read_text())["tests"]
        for test in group.get("alert_rule_test", [])
    ]
    assert set(seen) == {(name, fires) for name, *_ in ALERTS for fires in (True, False)}


def test_each_alert_has_its_words_and_a_section_of_the_runbook():
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    for rule in rules("alert"):
        annotations = rule["annotations"]
        assert set(annotations) == {"summary", "description", "runbook_url"} and all(annotations.values())
        assert annotations["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["alert"] in headings, f"{rule['alert']} is not in the runbook"


@pytest.mark.parametrize("what", ["rules", "dashboard"])
def test_only_metrics_that_the_program_has_are_asked_for(what):
    recorded = {rule["record"] for rule in rules("record")}
    texts = queries().values() if what == "dashboard" else [rule["expr"] for rule in rules("record") + rules("alert")]
    used = names_in("\n".join(texts))
    assert len(used) > 15
    assert used - exposed() - recorded == set()


def test_the_dashboard_shows_the_running_program(tickwal, make_place, ministack, simulate, tmp_path):
    streams = ["btcusdt@miniTicker", "ethusdt@aggTrade"]
    run = tickwal.start(
        "run", BINANCE_WS_URL=simulate("--rate", "200"), HTTP_LISTEN="127.0.0.1:0",
        **make_place(*streams).environment(ministack.url))
    prometheus = Prometheus(tmp_path / "prometheus", address_of(run), RULES)
    try:
        # What is shown only when there is some, and what comes of the rules.
        rare = re.compile(r"> 0|< \+Inf|ALERTS")
        missing = {title: query for title, query in queries().items() if not rare.search(query)}

        def all_have_data() -> bool:
            for title, query in list(missing.items()):
                if prometheus.samples(query):
                    del missing[title]
            return not missing

        try:
            run.wait_until(all_have_data, "each panel has data", 60)
        except AssertionError as error:
            raise AssertionError(f"without data: {missing}") from error
        for query in queries().values():
            prometheus.samples(query)
        groups = prometheus.ask("rules")["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
        assert prometheus.samples('ALERTS{alertstate="firing"}') == []
    finally:
        prometheus.stop()
