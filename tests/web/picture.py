"""Take the picture of the page that the README shows: ``python tests/web/picture.py``."""

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.node import Listener, NodeFactory
from harness.protocollo_client import ProtocolloClient
from web.chat_page import running_browser, window

PICTURE = Path(__file__).parents[2] / "docs" / "page.png"
DIALECTS: dict[str, type[ChatteClient]] = {
    "chatte": ChatteClient,
    "protocollo": ProtocolloClient,
    "browser": BrowserClient,
}
PEOPLE = {"bruno": "protocollo", "carla": "browser", "andy": "chatte", "dora": "browser"}
SHOWN = "anna"
TALK = [
    ("bruno", "Evening all. Who is coming on Thursday?"),
    ("carla", "Me! I finally finished the book, and I have opinions"),
    ("anna", "No spoilers please, I am on page 212"),
    ("andy", "I read it in Spanish, so we can argue about the translation too"),
    ("dora", "The café keeps the big table for us from seven: https://example.org/cafe"),
    ("anna", "Perfect. I'll bring the list for next month"),
    ("bruno", "anna, put a short one on it this time, per favore"),
    ("carla", "Seconded!"),
]
ASIDE = ("carla", "Shall we walk there together? I can be at yours at half past six")
ANSWER = "Yes, gladly"


async def talk(folder: Path) -> None:
    """Let people talk on a node, and take the picture of what one of them sees."""
    factory = NodeFactory(folder, None)
    try:
        node = factory.launch(listeners=tuple(map(Listener, DIALECTS)))
        await node.ready()
        here: dict[str, ChatteClient] = {}
        for name, dialect in PEOPLE.items():
            here[name] = await DIALECTS[dialect].enter_chat(node.port(dialect), name)
        size = {"width": 1200, "height": 905}
        async with running_browser() as browser, window(browser, viewport=size) as page:
            await page.open(f"http://127.0.0.1:{node.port('browser')}/")
            await page.enter(SHOWN)
            for name, text in TALK:
                if name == SHOWN:
                    await page.say(text)
                else:
                    here[name].say(text)
                await page.kept_line(text.split(" https:")[0])
            name, text = ASIDE
            here[name].whisper(SHOWN, text)
            await page.kept_line(text)
            await page.pick(name)
            await page.say(ANSWER)
            await page.kept_line(ANSWER)
            await page.pick("G")
            await page.page.screenshot(path=PICTURE)
    finally:
        factory.end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(talk(Path(folder)))
