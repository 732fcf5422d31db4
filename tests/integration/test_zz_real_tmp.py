import json
from collections.abc import Iterator
import pytest
from harness.node import NodeFactory, Listener, Node
from harness.redis_server import running_redis, free_port
from integration.test_device_terminal import *
from integration import test_device_terminal as m

class RealDeviceService:
    def __init__(self, factory):
        self.factory = factory
        self.ports = [free_port(), free_port()]
        self.running = []
        self.start()
    @property
    def addresses(self): return [f"127.0.0.1:{p}" for p in self.ports]
    def start(self):
        self.running = [self.factory.launch(settings={"LISTENERS": json.dumps([{"dialect":"device","host":"127.0.0.1","port":p}]) , "CLUSTER__LEASE_SECONDS":"4"}) for p in self.ports]
        for n in self.running: n.ready_sync()
    def stop(self):
        for n in self.running: n.kill()

@pytest.fixture
def device_service(tmp_path_factory) -> Iterator[DeviceService]:
    with running_redis() as server:
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            yield RealDeviceService(factory)
        finally:
            for n in factory.nodes:
                print(n.tail())
            factory.end()
