"""Which metrics and labels an expression of Prometheus uses."""

import re
from dataclasses import dataclass, field

FROM_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus adds."""

OWN = {"up", "ALERTS"}
"""Metrics that Prometheus itself creates."""

KEYWORDS = {"and", "or", "unless", "offset", "bool", "by", "on", "without", "ignoring"}


@dataclass
class Use:
    """The metrics of an expression with the labels that each must have, and those of its groups."""

    metrics: dict[str, set[str]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)


def uses_of(expression: str) -> Use:
    use = Use()
    text = re.sub(r"\[[^\]]*\]", " ", expression)
    for name, matchers in re.findall(r"([a-z_:]\w*)\s*\{([^}]*)\}", text):
        labels = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers)
        use.metrics.setdefault(name, set()).update(labels)
    text = re.sub(r"\{[^}]*\}", " ", text)
    for names in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", text):
        use.groups.update(re.findall(r"\w+", names))
    text = re.sub(r"\b(?:by|on)\s*\([^)]*\)", " ", text)
    for name in re.findall(r"\b[a-zA-Z_]\w*\b(?!\s*\()", text):
        if name not in KEYWORDS:
            use.metrics.setdefault(name, set())
    return use


def missing(expression: str, exported: dict[str, set[str]]) -> list[str]:
    """Return the metrics and labels of an expression that nothing exports."""
    use = uses_of(expression)
    known = exported | {name: set[str]() for name in OWN}
    unknown = [name for name in use.metrics if name not in known]
    labels = {
        f"{name}{{{label}}}"
        for name, used in use.metrics.items()
        for label in used - known.get(name, set()) - FROM_PROMETHEUS
    }
    everywhere = FROM_PROMETHEUS.union(*(known.get(name, set()) for name in use.metrics))
    return sorted([*unknown, *labels, *(use.groups - everywhere)])
