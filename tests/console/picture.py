"""Take the picture of the console in docs/console.md: ``python tests/console/picture.py``."""

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from console.console_page import window
from harness.api_process import OPERATOR, ApiProcess
from harness.chatte_client import ChatteClient
from harness.node import Listener, NodeFactory
from harness.redis_server import running_redis
from web.chat_page import running_browser

PICTURE = Path(__file__).parents[2] / "docs" / "console.png"
ROOM = "ops"
TALK = [
    ("anna", "node-2 was slow this morning, and is not any more"),
    ("bruno", "Was it the disk again?"),
    ("evan", "CHEAP WATCHES, only today, ask me how"),
    ("anna", "No, somebody copied a backup over the same network"),
    ("evan", "CHEAP WATCHES, only today, ask me how"),
    ("carla", "I put a limit on it: https://example.org/limit"),
    ("bruno", "Then I close the alert"),
]


async def moderate(folder: Path) -> None:
    """Let people talk on a node, moderate them on the console, and take its picture."""
    with running_redis() as redis:
        factory = NodeFactory(folder, redis.url)
        api = ApiProcess(folder / "api", redis.url)
        try:
            node = factory.launch(listeners=(Listener("chatte"), Listener("browser")))
            await node.ready()
            await api.ready()
            here = {
                name: await ChatteClient.enter_chat(node.port("chatte"), f"{name}@{ROOM}")
                for name in dict(TALK)
            }
            size = {"width": 1200, "height": 860}
            async with running_browser() as browser, window(browser, viewport=size) as console:
                page = console.page
                await console.open(f"http://127.0.0.1:{api.ports['api']}/console/#/rooms/{ROOM}")
                await console.sign_in(OPERATOR)
                await page.wait_for_selector("#log .live >> text=Live")
                for number, (name, text) in enumerate(TALK, 1):
                    here[name].send(f"100 {text}\n".encode())
                    await page.wait_for_function(
                        "(count) => document.querySelectorAll('#log .said').length === count",
                        arg=number,
                    )
                await page.click("[aria-label='Message of evan'] >> nth=0")
                await page.click("#asking >> text=Redact")
                await page.wait_for_selector("#filling[open]")
                await page.keyboard.press("Enter")
                await page.wait_for_selector("#log .is-redacted")
                await page.click("[aria-label='Mute evan']")
                await page.select_option("#field-seconds", "86400")
                await page.fill("#field-reason", "no adverts here, please")
                await page.keyboard.press("Enter")
                await console.told("evan is muted")
                await page.wait_for_selector("#mutes tbody tr")
                await page.wait_for_selector("#log .notice >> text=muted evan")
                await page.evaluate("() => scrollTo(0, 0)")
                await page.screenshot(path=PICTURE)
                assert console.complaints == [], console.complaints
        finally:
            api.end()
            factory.end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(moderate(Path(folder)))
