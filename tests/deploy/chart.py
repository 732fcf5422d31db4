"""The chart, and values for it: as few as it takes, and all that there is."""

from typing import Any

from deploy.tools import DEPLOY

CHART = DEPLOY / "kubernetes" / "tertulia"
OLDEST, NEWEST = "1.29", "1.37"
Values = dict[str, Any]
LEAST: Values = {"redis": {"url": "redis://tertulia@redis:6379/0"}}
WATCHED: Values = {
    **LEAST,
    "probe": {"enabled": True},
    "api": {"enabled": True, "tokensSecret": "tokens"},
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "redisExporter": {"matchLabels": {"app": "exporter"}, "port": "http", "namespace": "data"},
    },
    "prometheusRule": {
        "enabled": True,
        "runbookUrl": "https://wiki.example.org/runbook",
        "jobs": {"nodes": "chat", "redis": "chat-redis", "probe": "chat-probe", "api": "chat-api"},
    },
}
MOST: Values = {
    "probe": {"enabled": True, "address": "chatte+tls=chat.example.org:11230"},
    "api": {
        "enabled": True,
        "tokensSecret": "tokens",
        "tokensKey": "tokens.toml",
        "webhooksSecret": "hooks",
        "settings": {"API__REQUESTS_PER_SECOND": "20"},
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    },
    "redis": {"url": "rediss://tertulia@redis:6379/0", "passwordSecret": "redis"},
    "trustedProxies": ["10.0.0.0/8"],
    "autoscaling": {"enabled": True},
    "podAnnotations": {"example.org/x": "y"},
    "settings": {"LIMITS__CONNECTIONS": "1000"},
    "networkPolicy": {
        "redis": [{"ipBlock": {"cidr": "192.0.2.1/32"}}],
        "api": [{"ipBlock": {"cidr": "192.0.2.2/32"}}],
    },
    "nodeSelector": {"disk": "fast"},
    "seccompProfile": {"type": "Localhost", "localhostProfile": "tertulia.json"},
    "tolerations": [{"key": "chat", "operator": "Exists"}],
    "imagePullSecrets": [{"name": "registry"}],
    "hosts": ["chat.example.org", "chat.example.net"],
    "ircOnPage": True,
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "tlsSecret": "chat",
        "annotations": {"a": "b"},
    },
}
