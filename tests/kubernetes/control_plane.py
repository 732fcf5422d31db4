"""A real API server of Kubernetes, with controllers and etcd, on loopback. It has no nodes: no pod runs."""

import base64
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

from deploy.tools import ROOT, installed, packaged, run
from harness import processes
from harness.redis_server import free_port
from harness.requirements import program
from harness.waiting import until_sync

BUILT = ROOT / "build" / "kubernetes"
NAMESPACE = "chat"
START_SECONDS = 120.0


class ControlPlane:
    """kubectl and helm reach it as an administrator, in a namespace that takes restricted pods alone."""

    def __init__(self, directory: Path) -> None:
        """Prepare one; skips the test where a program for it is not there."""
        self._programs = {
            it: program(it, how="tests/kubernetes/install", first=str(BUILT))
            for it in ("kube-apiserver", "kube-controller-manager", "kubectl")
        }
        self._etcd = packaged("etcd", "etcd-server")
        self._openssl = packaged("openssl")
        self._directory = directory
        self._configuration = directory / "kubeconfig"
        self._processes: list[subprocess.Popen[bytes]] = []
        # As they stand in the docs, `helm` and `kubectl` are these.
        for name, path in (("helm", installed("helm")), ("kubectl", self._programs["kubectl"])):
            (directory / "bin").mkdir(exist_ok=True)
            (directory / "bin" / name).symlink_to(path)

    def start(self) -> None:
        """Start all of it and wait until it answers."""
        storage, port = (f"http://127.0.0.1:{free_port()}" for _ in range(2)), free_port()
        clients, peers = storage
        self._start(
            "etcd",
            self._etcd,
            f"--data-dir={self._directory / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        key = self._directory / "accounts.key"
        run([self._openssl, "genrsa", "-out", key, "2048"])
        token = secrets.token_hex()
        (self._directory / "tokens").write_text(f"{token},admin,admin,system:masters\n")
        certificates = self._directory / "certificates"
        self._start(
            "kube-apiserver",
            self._programs["kube-apiserver"],
            f"--etcd-servers={clients}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            # Of a documentation's network: what pods would call it, and no pod runs.
            "--advertise-address=192.0.2.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=198.51.100.0/24",
            f"--cert-dir={certificates}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self._directory / 'tokens'}",
            "--authorization-mode=RBAC",
        )
        until_sync((certificates / "apiserver.crt").exists, START_SECONDS, self._logs)
        self._configuration.write_text(
            json.dumps(self._way(port, token, (certificates / "apiserver.crt").read_bytes()))
        )
        until_sync(self._is_ready, START_SECONDS, self._logs, every=0.5)
        self._start(
            "kube-controller-manager",
            self._programs["kube-controller-manager"],
            f"--kubeconfig={self._configuration}",
            f"--service-account-private-key-file={key}",
            "--use-service-account-credentials",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--cert-dir={certificates}",
            "--leader-elect=false",
        )
        self.make(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": NAMESPACE,
                    "labels": {
                        f"pod-security.kubernetes.io/{it}": "restricted"
                        for it in ("enforce", "warn")
                    },
                },
            }
        )

    def end(self) -> None:
        """End all of it, what was started last first."""
        for process in reversed(self._processes):
            process.kill()
            process.wait(10)

    def shell(self, command: str, *, directory: Path = ROOT, text: str | None = None) -> str:
        """Run a command in which helm and kubectl are of here. Raises AssertionError where it failed."""
        environment = {
            "KUBECONFIG": str(self._configuration),
            "PATH": f"{self._directory / 'bin'}:/usr/bin:/bin",
            # What helm and kubectl keep of a server.
            "HOME": str(self._directory),
        }
        return run(
            ["bash", "-euo", "pipefail", "-c", command],
            environment=environment,
            directory=directory,
            text=text,
        )

    def make(self, *what: dict[str, Any]) -> None:
        """Make objects, or make them so."""
        listed = {"apiVersion": "v1", "kind": "List", "items": what}
        self.shell("kubectl apply --server-side --filename -", text=json.dumps(listed))

    def get(self, what: str) -> list[dict[str, Any]]:
        """Return the objects of these kinds in the namespace."""
        found: list[dict[str, Any]] = json.loads(self.shell(f"kubectl get {what} -o json"))["items"]
        return found

    def _way(self, port: int, token: str, certificate: bytes) -> dict[str, Any]:
        """Return what tells clients where the server is, and who they are."""
        server = {
            "server": f"https://127.0.0.1:{port}",
            "certificate-authority-data": base64.b64encode(certificate).decode(),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [
                {
                    "name": "here",
                    "context": {"cluster": "here", "user": "admin", "namespace": NAMESPACE},
                }
            ],
            "current-context": "here",
        }

    def _is_ready(self) -> bool:
        try:
            return "ok" in self.shell("kubectl get --raw /readyz")
        except AssertionError:
            return False

    def _start(self, name: str, *command: str) -> None:
        with (self._directory / f"{name}.log").open("wb") as log:
            self._processes.append(processes.start(command, output=log))

    def _logs(self) -> str:
        return "\n".join(it.read_text()[-2000:] for it in sorted(self._directory.glob("*.log")))
