"""The PromQL that stands in dashboards and runbooks, found so that none is forgotten."""

import json
import re

from watch import REPOSITORY

DASHBOARDS = REPOSITORY / "deploy/grafana/dashboards"
RUNBOOKS = REPOSITORY / "docs/runbooks"


def dashboard_queries():
    """(dashboard, panel, expression) of every target, variable and annotation."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield file.stem, panel["title"], target["expr"]
        for annotation in dashboard["annotations"]["list"]:
            if "expr" in annotation:
                # What it finds is an event; that there is none is no fault.
                yield file.stem, f"annotation {annotation['name']}", f"({annotation['expr']}) or vector(0)"
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
                yield file.stem, f"variable {variable['name']}", f'{series[:-1]},{label}!=""}}' if series.endswith("}") else f'{series}{{{label}!=""}}'


def with_values(expression):
    """As Grafana would send it with `All` chosen and an interval for a scrape each second."""
    expression = re.sub(r"\$(colour|instance|model|name|node)\b", ".*", expression).replace("$__rate_interval", "10s")
    assert "$" not in expression, expression
    return expression


def runbook_queries():
    for file in sorted(RUNBOOKS.glob("*.md")):
        for expression in re.findall(r"(?m)^promtool query instant http://127\.0\.0\.1:9090 '([^']+)'$", file.read_text(encoding="utf-8")):
            yield file.name, expression


def metric_names(expression):
    """Identifiers that can only be metrics: those with our prefixes, outside strings and label lists."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b((?:nextloop|http|process|node|nginx|container|alertmanager)_[a-z0-9_]+|[a-z]+:nextloop[a-z0-9_:]+)\b", bare))
