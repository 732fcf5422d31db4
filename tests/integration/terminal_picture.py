"""Take the picture of the terminal that the docs show: ``python tests/integration/terminal_picture.py``."""

import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.browser_client import BrowserClient
from harness.node import Listener, NodeFactory
from harness.waiting import until
from tertulia.clients.chat.addresses import address_of
from tertulia.clients.chat.connection import TalkConnection
from tertulia.clients.chat.screen.app import ChatApp
from tertulia.clients.chat.screen.composer import Composer
from tertulia.clients.chat.screen.log_view import LogView
from tertulia.clients.chat.talk import Talk
from web.chat_page import running_browser

PICTURE = Path(__file__).parents[2] / "docs" / "terminal.png"
PEOPLE = ("bruno", "carla", "dora")
TALK = [
    ("bruno", "The mail is stuck again. Since ten past eight, says the graph."),
    ("carla", "The disk of mx2 is full: https://status.example.org/mx2"),
    ("anna", "I make room there. Who restarts the queue?"),
    ("bruno", "I do, anna. `postqueue -f`, and then we look."),
]
WITHIN = 15.0


async def draw(folder: Path) -> str:
    """Let people talk on a node, and return what one of them sees, as SVG."""
    factory = NodeFactory(folder, None)
    try:
        node = factory.launch(listeners=(Listener("browser"),))
        await node.ready()
        here = {it: await BrowserClient.enter_chat(node.port("browser"), it) for it in PEOPLE}
        for it in here.values():
            await it.join_room("ops")
        talk = Talk()
        url = f"http://127.0.0.1:{node.port('browser')}/"
        app = ChatApp(
            talk,
            lambda changed: TalkConnection(talk, [address_of(url)], changed),
            folder / "settings.toml",
            "anna",
            "",
            ["ops"],
        )
        async with app.run_test(size=(96, 24)) as pilot:
            log = app.query_one(LogView)
            await until(lambda: "You are in #ops" in log.plain, WITHIN, "anna in #ops")
            for name, text in TALK:
                if name == "anna":
                    app.query_one(Composer).insert(text)
                    await pilot.press("enter")
                else:
                    here[name].say(text, "ops")
                await until(partial(_has, log, text[:20]), WITHIN, text)
            here["carla"].whisper("anna", "Thanks for taking over last night!")
            await until(lambda: "last night" in log.plain, WITHIN, "the private message")
            here["dora"].say("anna, carla: lunch at one?")
            await until(lambda: bool(talk.chat.lobby.calls), WITHIN, "a call")
            app.query_one(Composer).insert("Done: 40 GB are free")
            await asyncio.sleep(0.5)
            return app.export_screenshot(title="tertulia chat")
    finally:
        factory.end()


def _has(log: LogView, text: str) -> bool:
    return text in log.plain


async def take() -> None:
    """Draw it, and make a picture of it in a browser: an SVG would load its letters from elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        svg = await draw(Path(folder))
    async with running_browser() as browser:
        page = await browser.new_page(viewport={"width": 1200, "height": 660})
        await page.set_content(f"<style>body{{margin:0}} svg{{width:1200px}}</style>{svg}")
        await page.locator("svg").screenshot(path=PICTURE, omit_background=True)


if __name__ == "__main__":
    asyncio.run(take())
