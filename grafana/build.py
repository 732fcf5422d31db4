"""The dashboard as Grafana takes it: made of panels.py, the same bytes each time.

python grafana/build.py            write dashboards/tertulia.json
python grafana/build.py --check    exit with 1 where it is not what panels.py says
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from panels import ROWS, Panel, Query, Row, metric

TARGET: Final = Path(__file__).parent / "dashboards" / "tertulia.json"
COLUMNS: Final = 24
"""Grafana's grid."""
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


def dashboard() -> Json:
    """Return the dashboard as Grafana takes it."""
    panels: list[Json] = []
    y = 0
    for row in ROWS:
        panels.append(_row(row, len(panels) + 1, y))
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            panels.append(_panel(panel, len(panels) + 1, place))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return {
        "uid": "tertulia",
        "title": "Tertulia",
        "description": "A chat service of several nodes over Redis.",
        "tags": ["tertulia"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,  # one crosshair over all panels
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [],
        "annotations": {"list": [_starts()]},
        "templating": {"list": [_datasource(), *map(_variable, ("chat", "node"))]},
        "panels": panels,
    }


def _starts() -> Json:
    return {
        "name": "Node started",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"{metric('uptime_seconds')} < 60",
        "titleFormat": "{{instance}} started",
    }


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
    }


def _variable(name: str) -> Json:
    query = {
        "chat": "label_values(tertulia_sessions, chat)",
        "node": "label_values(tertulia_ready, instance)",
    }
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query[name], "refId": name},
        "definition": query[name],
        "refresh": 2,  # when the time range changes: nodes come and go
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _row(row: Row, number: int, y: int) -> Json:
    return {
        "id": number,
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        "panels": [],
    }


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": place,
        "targets": [
            _target(panel, query, letter)
            for query, letter in zip(panel.queries, "ABCDEF", strict=False)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        **({"transformations": _TIDY} if panel.kind == "table" else {}),
    }


def _target(panel: Panel, query: Query, letter: str) -> Json:
    now = panel.kind in ("stat", "table")
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
        "editorMode": "code",
        "format": panel.kind if panel.kind in ("heatmap", "table") else "time_series",
        "instant": now,
        "range": not now,
    }


def _defaults(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "color": {"mode": "palette-classic"}}
    if panel.states:
        defaults["mappings"] = [
            {
                "type": "value",
                "options": {
                    str(value): {"text": word, "color": color, "index": value}
                    for value, (word, color) in enumerate(
                        zip(panel.states, _colors(panel), strict=True)
                    )
                },
            }
        ]
    if panel.kind == "timeseries":
        defaults["min"] = 0
        defaults["custom"] = {
            "fillOpacity": 25 if panel.stacked else 8,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            **({"thresholdsStyle": {"mode": "line"}} if panel.bad_from is not None else {}),
        }
    if panel.kind == "state-timeline":
        defaults["custom"] = {"fillOpacity": 80, "lineWidth": 0}
    if panel.bad_from is not None or panel.bad_below is not None:
        low, high = ("green", "red") if panel.bad_from is not None else ("red", "green")
        bound = panel.bad_from if panel.bad_from is not None else panel.bad_below
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": low, "value": None}, {"color": high, "value": bound}],
        }
        if panel.kind == "stat":
            defaults["color"] = {"mode": "thresholds"}
    return defaults


def _colors(panel: Panel) -> tuple[str, str]:
    return ("green", "blue") if panel.states[1] == "drains" else ("red", "green")


def _options(panel: Panel) -> Json:
    if panel.kind == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "none",
            "textMode": "auto",
        }
    if panel.kind == "heatmap":
        return {
            "calculate": False,  # Prometheus' buckets are the cells
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "unit": panel.unit},
        }
    if panel.kind == "state-timeline":
        return {
            "mergeValues": True,
            "rowHeight": 0.8,
            "showValue": "auto",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "tooltip": {"mode": "single", "sort": "none"},
        }
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


_TIDY: Final = [
    {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True, "Value": True, "__name__": True, "job": True},
            "indexByName": {"instance": 0, "version": 1, "python": 2},
            "renameByName": {"instance": "Node", "version": "Version", "python": "Python"},
        },
    }
]
"""The table of versions shows labels, not the value 1."""


def text() -> str:
    """Return the file's content."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file, or check it."""
    if "--check" in sys.argv[1:]:
        current = TARGET.exists() and TARGET.read_text() == text()
        if not current:
            sys.stderr.write(f"{TARGET} is not what panels.py says: run python {__file__}\n")
        return 0 if current else 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
